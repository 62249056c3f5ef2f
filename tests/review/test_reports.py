"""Reporting an app, taking it down and putting it back, as a browser does."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import col, select

from marketplace.accounts.limits import TooManyAttempts
from marketplace.billing import service as billing
from marketplace.catalog.models import App, Product
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.infra.jobs import Job
from marketplace.kernel.ids import AccountId, ProductId
from marketplace.review import reports
from marketplace.review import views as review_views
from marketplace.review.models import AppReport
from marketplace.review.views_reports import bp
from tests.factories.accounts import make_account
from tests.factories.catalog import found_by, make_listed, make_product
from tests.factories.pages import send, sign_in
from tests.factories.storefront import make_storefront

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAGE = "/apps/tests.echo"
FORM = f"{PAGE}/report"
DESK = "/review/apps/tests.echo"


@pytest.fixture(scope="module")
def app(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """Made once: compiling its templates takes longer than the tests."""
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    return make_storefront(database, blobs, review_views.blueprint(blobs), bp)


@pytest.fixture
def echo(database: Database, client: FlaskClient) -> UUID:
    with database.writing() as session:
        listed = make_listed(session, ident="tests.echo", name="Echo")
        make_product(session, listed)
        return listed.id


def waiting(database: Database) -> list[AppReport]:
    with database.reading() as session:
        return list(
            session.exec(select(AppReport).where(col(AppReport.decided_at).is_(None))).all()
        )


@pytest.mark.usefixtures("echo")
def test_a_report_reaches_the_operator_and_a_second_one_replaces_it(
    client: FlaskClient, database: Database
) -> None:
    sign_in(database, client)
    assert f'href="{FORM}"' in client.get(PAGE).text
    assert send(client, FORM, kind="broken", words="It stops at once.").location == PAGE
    send(client, FORM, kind="harmful", words="It asks for <b>passwords</b>.")
    [kept] = waiting(database)
    assert (kept.kind, kept.words) == ("harmful", "It asks for <b>passwords</b>.")
    sign_in(database, client, is_operator=True)
    assert "1 report" in client.get("/review/apps/").text
    page = client.get(DESK).text
    assert "It asks for &lt;b&gt;passwords&lt;/b&gt;." in page
    assert "It is harmful or illegal" in page
    assert send(client, DESK, f"{DESK}/dismiss").status_code == 303
    assert waiting(database) == []


@pytest.mark.usefixtures("echo")
@pytest.mark.parametrize("fields", [{}, {"kind": "ugly"}, {"kind": "broken", "words": "x" * 2001}])
def test_a_report_that_does_not_fit_comes_back_with_what_was_typed(
    client: FlaskClient, database: Database, fields: dict[str, str]
) -> None:
    sign_in(database, client)
    answer = send(client, FORM, **fields)
    assert answer.status_code == 422
    assert "field-wrong" in answer.text
    assert fields.get("words", "") in answer.text
    assert waiting(database) == []


def test_a_report_needs_a_person_who_is_not_its_developer_and_not_in_haste(
    client: FlaskClient, database: Database, echo: UUID
) -> None:
    assert "/accounts/sign-in" in client.get(FORM).location
    with database.writing() as session:
        listed = session.get_one(App, echo)
        owner, other = AccountId(listed.owner_id), AccountId(make_account(session).id)
        with pytest.raises(reports.OwnApp):
            reports.report(session, listed, reporter_id=owner, kind="broken", words="", now=NOW)
        for _time in range(reports.BY_PERSON.most):
            reports.report(session, listed, reporter_id=other, kind="broken", words="", now=NOW)
            session.flush()
        with pytest.raises(TooManyAttempts):
            reports.report(session, listed, reporter_id=other, kind="broken", words="", now=NOW)


def test_an_app_taken_down_is_gone_everywhere_until_it_is_put_back(
    client: FlaskClient, app: Flask, database: Database, echo: UUID
) -> None:
    visitor = app.test_client()
    app.extensions["page_cache"].keep_s = 600
    try:
        assert visitor.get(PAGE).status_code == 200
        sign_in(database, client, is_operator=True)
        refused = send(client, DESK, f"{DESK}/take-down", reason=" ")
        assert refused.status_code == 422
        assert "Write what the developer must know and change." in refused.text
        assert send(client, DESK, f"{DESK}/take-down", reason="It lies.").status_code == 303
        assert visitor.get(PAGE).status_code == 404
        assert "Echo" not in visitor.get("/search?q=echo").text
        with database.reading() as session:
            assert found_by(session, "echo") == []
            product = ProductId(session.exec(select(Product.id)).one())
            with pytest.raises(billing.ProductNotFound):
                billing.on_sale(session, product)
            done = {job.name for job in session.exec(select(Job)).all()}
            assert done == {"infra.send_mail", "inference.forget_release"}
        assert "It lies." in client.get(DESK).text
        assert "Taken down" in client.get("/review/apps/").text
        assert send(client, DESK, f"{DESK}/put-back").status_code == 303
        assert visitor.get(PAGE).status_code == 200
        with database.reading() as session:
            assert found_by(session, "echo") == [echo]
    finally:
        app.extensions["page_cache"].keep_s = 0


@pytest.mark.usefixtures("echo")
def test_what_cannot_be_decided_is_said(client: FlaskClient, database: Database) -> None:
    sign_in(database, client)
    assert client.get("/review/apps/").status_code == 403
    sign_in(database, client, is_operator=True)
    assert client.get("/review/apps/tests.nothing").status_code == 404
    assert "Nobody reports an app" in client.get("/review/apps/").text
    assert send(client, DESK, f"{DESK}/put-back").status_code == 409
    send(client, DESK, f"{DESK}/take-down", reason="It lies.")
    assert send(client, "/review/apps/", f"{DESK}/take-down", reason="More.").status_code == 409
