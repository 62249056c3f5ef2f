"""The operator's desk as a browser gets it, and the addresses that machines watch."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from marketplace.admin import views
from marketplace.admin.doctor import Patient
from marketplace.inference.fake import FakeInference
from marketplace.infra import migrations
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.infra.jobs import Job, JobState
from marketplace.runs.models import RunState
from marketplace.sandbox.fake import FakeSandbox
from tests.factories.accounts import NOON
from tests.factories.pages import make_store, sign_in
from tests.factories.runs import make_run, make_runnable


def made(database: Database, folder: Path, inference: FakeInference) -> Flask:
    patient = Patient(
        database=database,
        data_dir=folder,
        engine=inference.status,
        sandbox=FakeSandbox().status,
        runtime=lambda: None,
    )
    return make_store(
        database,
        views.blueprint(patient),
        catalog__home="/",
        catalog__search="/search",
        publishing__portal="/portal/",
        runs__mine="/runs",
        billing__purchases="/purchases",
        billing__ledger="/admin/ledger",
        ads__desk="/admin/ads",
        ratings__waiting="/reviews/waiting",
        review__queue="/review/",
    )


@pytest.fixture(scope="module")
def app(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """Made once: compiling its templates takes longer than the tests."""
    return made(database, tmp_path_factory.mktemp("admin"), FakeInference())


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_desk_shows_the_whole_store(
    client: FlaskClient, empty_database: Database, tmp_path: Path, language: str
) -> None:
    sign_in(empty_database, client, is_operator=True)
    with empty_database.writing() as session:
        app = make_runnable(session, Blobs(tmp_path))
        make_run(session, app, state=RunState.RUNNING)
        session.add(
            Job(
                name="mail.send_letter",
                payload={},
                state=JobState.FAILED,
                error="The letter came back.",
                run_at=NOON,
                created_at=NOON,
            )
        )
    page = client.get(f"/admin/?lang={language}").text
    assert f'lang="{language}"' in page
    for words in ("Fake", "mail.send_letter", "The letter came back.", "/admin/ledger"):
        assert words in page


def test_an_engine_without_a_model_says_why(empty_database: Database, tmp_path: Path) -> None:
    why = "No model is loaded; add one with `marketplace models add`."
    client = made(empty_database, tmp_path, FakeInference(why_not=why)).test_client()
    sign_in(empty_database, client, is_operator=True)
    assert "No model is loaded" in client.get("/admin/").text


def test_only_operators_see_the_desk(client: FlaskClient, empty_database: Database) -> None:
    assert client.get("/admin/").status_code == 303
    sign_in(empty_database, client, is_developer=True)
    assert client.get("/admin/").status_code == 403


def test_machines_see_that_the_store_is_alive_and_whether_it_is_ready(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/livez").get_json() == {"status": "ok"}
    monkeypatch.setattr(migrations, "current", lambda _database: migrations.head())
    assert client.get("/readyz").status_code == 200
    monkeypatch.setattr(migrations, "current", lambda _database: None)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()) == (503, {"status": "migrating"})
