"""The page on which a person sets an app up, as a browser gets it."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.catalog.models import App
from marketplace.infra.db import Database
from marketplace.runs import views_settings
from marketplace.runs.models import Preferences
from tests.factories.catalog import make_app
from tests.factories.pages import make_store, send, sign_in
from tests.factories.runs import VAULT, Stage, stage

SETTINGS = [
    {"name": "tone", "type": "choice", "label": "Tone", "choices": ["dry", "warm"]},
    {"name": "count", "type": "integer", "label": "How many", "default": 3},
    {
        "name": "token",
        "type": "secret",
        "label": "Token of the site",
        "required": True,
        "inject": "header:Authorization",
        "host": "example.org",
    },
]
SECRET = "hunter2"


@pytest.fixture(scope="module")
def here(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(database, tmp_path_factory.mktemp("settings")) as made:
        yield made


@pytest.fixture(scope="module")
def store(here: Stage) -> Flask:
    return make_store(
        here.database,
        views_settings.blueprint(VAULT),
        catalog__app="/apps/<ident>",
        catalog__icon="/apps/<ident>/icon",
        catalog__home="/",
    )


@pytest.fixture
def lina(store: Flask, empty_database: Database) -> FlaskClient:
    client = store.test_client()
    sign_in(empty_database, client)
    return client


@pytest.fixture
def app(here: Stage, empty_database: Database) -> App:
    return here.app(setting=SETTINGS)


def page_of(app: App) -> str:
    return f"/apps/{app.ident}/settings"


def rows(here: Stage) -> list[Preferences]:
    with here.database.reading() as session:
        return list(session.exec(select(Preferences)).all())


def test_a_form_is_drawn_and_what_is_saved_is_there_again(
    here: Stage, lina: FlaskClient, app: App
) -> None:
    empty = lina.get(page_of(app)).text
    assert "Token of the site" in empty
    assert "Forget" not in empty
    answer = send(lina, page_of(app), tone="warm", count="5", token=SECRET)
    assert (answer.status_code, answer.location) == (303, page_of(app))
    page = lina.get(page_of(app)).text
    assert 'value="5"' in page
    assert "never shown again" in page
    assert SECRET not in page
    [row] = rows(here)
    assert row.given == {"tone": "warm", "count": 5}
    assert SECRET not in str(row.model_dump())


def test_a_wrong_value_is_told_beside_its_field_and_nothing_is_kept(
    here: Stage, lina: FlaskClient, app: App
) -> None:
    answer = send(lina, page_of(app), count="5", token="two words")
    assert answer.status_code == 422
    assert "A secret has no spaces" in answer.text
    assert "two words" not in answer.text
    assert 'value="5"' in answer.text
    assert rows(here) == []


def test_a_secret_and_then_everything_can_be_forgotten(
    here: Stage, lina: FlaskClient, app: App
) -> None:
    send(lina, page_of(app), token=SECRET)
    send(lina, page_of(app), count="4", **{"-forget": "token"})
    [row] = rows(here)
    assert (row.given, row.secrets) == ({"count": 4}, {})
    send(lina, page_of(app), f"{page_of(app)}/forget")
    assert rows(here) == []


def test_an_app_without_settings_or_release_says_so(
    here: Stage, lina: FlaskClient, empty_database: Database
) -> None:
    assert "asks for no settings" in lina.get(page_of(here.app())).text
    with empty_database.writing() as session:
        bare = make_app(session)
    assert lina.get(page_of(bare)).status_code == 404


def test_a_stranger_is_sent_to_sign_in(store: Flask, app: App) -> None:
    assert "sign-in" in store.test_client().get(page_of(app)).location


def test_a_schedule_is_off_until_it_is_switched_on_and_off_again(
    here: Stage, lina: FlaskClient
) -> None:
    app = here.app(permissions=(), schedule=[{"action": "go", "every": "6h"}])
    page = lina.get(page_of(app)).text
    assert "every 6 hours" in page
    assert "shows no advertisements" in page
    assert "next on" not in page
    switch = f"/apps/{app.ident}/schedules/go"
    answer = send(lina, page_of(app), switch, is_on="yes")
    assert answer.location == f"{page_of(app)}#schedules"
    assert "next on" in lina.get(page_of(app)).text
    send(lina, page_of(app), switch, is_on="")
    assert "next on" not in lina.get(page_of(app)).text


def test_a_schedule_that_lacks_something_leads_to_where_it_is_given(
    here: Stage, lina: FlaskClient
) -> None:
    schedule = [{"action": "go", "every": "6h"}]
    unset = here.app(permissions=(), setting=SETTINGS, schedule=schedule)
    unasked = here.app(permissions=("kv.user",), schedule=schedule)
    for app, place in ((unset, page_of(unset)), (unasked, f"/apps/{unasked.ident}#run")):
        answer = send(lina, page_of(app), f"/apps/{app.ident}/schedules/go", is_on="yes")
        assert (answer.status_code, answer.location) == (303, place)
        assert 'role="alert"' in lina.get(page_of(app)).text
        assert "next on" not in lina.get(page_of(app)).text
