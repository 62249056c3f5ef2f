"""The runs room's pages over a stage of fakes, and two people who are signed in."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from marketplace.catalog import views_channels
from marketplace.infra.db import Database
from marketplace.runs import views_api
from tests.factories.pages import sign_in
from tests.factories.run_pages import make_run_pages
from tests.factories.runs import Stage, stage


@pytest.fixture(scope="module")
def here(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Made once, as the pages are: compiling templates takes longer than the tests."""
    with stage(database, tmp_path_factory.mktemp("runs")) as made:
        yield made


@pytest.fixture(scope="module")
def app(here: Stage) -> Flask:
    return make_run_pages(here, views_channels.bp, views_api.blueprint(here.starter))


@pytest.fixture
def lina(app: Flask, empty_database: Database) -> FlaskClient:
    """A browser whose person is signed in."""
    client = app.test_client()
    sign_in(empty_database, client)
    return client


@pytest.fixture
def omar(app: Flask, empty_database: Database) -> FlaskClient:
    """Somebody else's."""
    client = app.test_client()
    sign_in(empty_database, client)
    return client
