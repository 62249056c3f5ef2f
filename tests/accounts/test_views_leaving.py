"""Taking one's data away, and leaving, as a browser does it."""

import io
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import Session, select

from marketplace.accounts import closing, jobs, views_leaving
from marketplace.accounts.closing import Hindrance
from marketplace.accounts.exports import Exports
from marketplace.accounts.models import Account, AccountSession, DataExport, ExportState
from marketplace.infra import mail
from marketplace.infra.db import Database
from marketplace.infra.jobs import Job, JobContext, Worker
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId
from tests.factories.accounts import PASSWORD, make_session, make_token
from tests.factories.pages import make_store, send, sign_in

pytestmark = pytest.mark.usefixtures("cheap_hashing")

DATA, FILE, CLOSE = "/accounts/data", "/accounts/data/file", "/accounts/close"


def unsettled(session: Session, account_id: AccountId) -> Sequence[Hindrance]:
    """Whoever is called Samir has something to settle."""
    if session.get_one(Account, account_id).name != "Samir":
        return ()
    return (Hindrance("You have 2 apps in the store.", "To your apps", "/portal/"),)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    return Exports(tmp_path_factory.mktemp("made") / "exports", lambda _person: iter(()))


@pytest.fixture(scope="module")
def app(database: Database, made: Exports) -> Flask:
    """Made once: compiling its templates takes longer than the tests."""
    notes = [lambda *_: ["The store owes you $3.00."]]
    return make_store(database, views_leaving.blueprint(made, [unsettled], notes))


def work(database: Database, made: Exports) -> None:
    """Do what waits, as the worker does."""
    worker = Worker(database, jobs.handlers(made, ()))
    while worker.step(utc_now()):
        pass


def test_data_is_taken_away_by_the_browser_that_vouched_for_it(
    client: FlaskClient, app: Flask, empty_database: Database, made: Exports
) -> None:
    account = sign_in(empty_database, client, email="lina@example.org")
    assert client.get(FILE).status_code == 404
    wrong = send(client, DATA, password="open sesame please")
    assert (wrong.status_code, "not your present password" in wrong.text) == (422, True)
    assert send(client, DATA, password=PASSWORD).status_code == 303
    waiting = client.get(DATA).text
    assert "is being made" in waiting
    assert 'data-controller="refresh"' in waiting
    work(empty_database, made)
    assert "is ready" in client.get(DATA).text
    with client.get(FILE) as answer, ZipFile(io.BytesIO(answer.data)) as zipped:
        [row] = json.loads(zipped.read("accounts_account.json"))
    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("application/zip", "no-store")
    assert row["email"] == "lina@example.org"
    assert "password_hash" not in row
    elsewhere = app.test_client()
    with empty_database.writing() as session:
        elsewhere.set_cookie("caravan", make_session(session, account, now=utc_now()))
    assert elsewhere.get(FILE).status_code == 404


def test_a_file_is_forgotten_after_a_day_and_when_another_is_asked_for(
    client: FlaskClient, empty_database: Database, made: Exports
) -> None:
    sign_in(empty_database, client)
    send(client, DATA, password=PASSWORD)
    work(empty_database, made)
    made.forget(empty_database, now=utc_now())
    with empty_database.reading() as session:
        first = made.path(session.exec(select(DataExport.id)).one())
    assert first.exists()
    send(client, DATA, password=PASSWORD)
    work(empty_database, made)
    assert made.forget(empty_database, now=utc_now()) == 1
    assert not first.exists()
    client.get(FILE).close()
    assert made.forget(empty_database, now=utc_now() + timedelta(days=1)) == 1
    assert client.get(FILE).status_code == 404


def test_a_file_that_cannot_be_made_is_told(
    client: FlaskClient, empty_database: Database, tmp_path: Path
) -> None:
    sign_in(empty_database, client)
    send(client, DATA, password=PASSWORD)
    (tmp_path / "file").write_text("in the way")
    in_the_way = Exports(tmp_path / "file" / "exports", lambda _person: iter(()))
    with empty_database.reading() as session:
        asked = session.exec(select(DataExport)).one()
    with pytest.raises(OSError, match="directory"):
        in_the_way.make(empty_database, asked.id, now=utc_now())
    with empty_database.reading() as session:
        assert session.exec(select(DataExport)).one().state is ExportState.FAILED
    assert "could not be made" in client.get(DATA).text


def test_who_leaves_is_signed_out_everywhere_and_never_comes_back(
    client: FlaskClient, app: Flask, empty_database: Database, made: Exports
) -> None:
    account = sign_in(empty_database, client, email="lina@example.org")
    elsewhere = app.test_client()
    with empty_database.writing() as session:
        elsewhere.set_cookie("caravan", make_session(session, account, now=utc_now()))
        token = make_token(session, account, now=utc_now()).secret
        mail.send(session, to="lina@example.org", subject="old", text="old", html="old")
    page = client.get(CLOSE).text
    assert "The store owes you $3.00." in page
    wrong = send(client, CLOSE, password="open sesame please")
    assert (wrong.status_code, client.get(DATA).status_code) == (422, 200)
    assert send(client, CLOSE, password=PASSWORD).location == "/"
    headers = {"Authorization": f"Bearer {token}"}
    for each in (client, elsewhere):
        assert each.get(DATA).status_code == 303
    assert app.test_client().get("/api/v1/whoami", headers=headers).status_code == 401
    again = send(client, "/accounts/sign-in", email="lina@example.org", password=PASSWORD)
    assert again.status_code == 422
    with empty_database.reading() as session:
        letters = session.exec(select(Job).where(Job.name == mail.SEND)).all()
    assert ["is closed" in letter.payload["subject"] for letter in letters] == [True]
    work(empty_database, made)
    with empty_database.reading() as session:
        left = session.get_one(Account, account.id)
        assert (left.name, left.is_closed, left.password_hash) == (closing.NO_NAME, True, None)
        assert session.exec(select(AccountSession)).all() == []


def test_who_has_something_to_settle_is_told_and_stays(
    client: FlaskClient, empty_database: Database
) -> None:
    account = sign_in(empty_database, client, name="Samir")
    page = client.get(CLOSE).text
    assert "You have 2 apps in the store." in page
    assert "for good</span></button>" not in page
    refused = send(client, CLOSE, password=PASSWORD)
    assert (refused.status_code, "2 apps" in refused.text) == (409, True)
    with empty_database.reading() as session:
        assert not session.get_one(Account, account.id).is_closed


def test_the_last_operator_stays(client: FlaskClient, app: Flask, empty_database: Database) -> None:
    sign_in(empty_database, client, is_operator=True)
    assert send(client, CLOSE, password=PASSWORD).status_code == 409
    sign_in(empty_database, app.test_client(), is_operator=True)
    assert send(client, CLOSE, password=PASSWORD).status_code == 303


def test_an_erasing_that_must_wait_comes_back(empty_database: Database) -> None:
    with empty_database.writing() as session:
        account = Account(email="a@example.org", name="A", created_at=utc_now())
        session.add(account)
    now = utc_now()
    closing.erase(empty_database, AccountId(account.id), [lambda *_: False], now)
    with empty_database.reading() as session:
        [job] = session.exec(select(Job)).all()
    assert (job.name, job.run_at) == (closing.ERASE, now + closing.TRY_AGAIN)
    done = jobs.handlers(Exports(Path("/nowhere"), lambda _person: iter(())), ())
    done[job.name](JobContext(empty_database, job.payload, now))
