"""The runs room's pages over a stage of fakes, and two people who are signed in."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from sqlmodel import Session

from marketplace.billing import queries as billing
from marketplace.catalog import views as catalog_views
from marketplace.catalog import views_channels, views_ratings
from marketplace.catalog.models import App, Release
from marketplace.infra.db import Database
from marketplace.runs import (
    queries,
    views,
    views_api,
    views_audit,
    views_consent,
    views_repeating,
    views_settings,
    views_shares,
)
from marketplace.runs.pages import Panel
from marketplace.web.auth import actor
from marketplace.web.sse import Streams
from tests.factories.pages import make_store, sign_in
from tests.factories.runs import VAULT, Stage, stage


@pytest.fixture(scope="module")
def here(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Made once, as the pages are: compiling templates takes longer than the tests."""
    with stage(database, tmp_path_factory.mktemp("runs")) as made:
        yield made


@pytest.fixture(scope="module")
def app(here: Stage) -> Flask:
    def panel_for(session: Session, app: App, release: Release | None) -> Panel:
        person = actor()
        person_id = person.id if person else None
        again = request.args.get("again", type=UUID)
        return queries.panel(
            session, app, release, VAULT, person_id=person_id, unavailable=None, again=again
        )

    return make_store(
        here.database,
        catalog_views.blueprint(here.blobs, panel_for, billing.has_bought),
        views_channels.bp,
        views_ratings.blueprint(billing.has_bought),
        views.blueprint(here.database, here.logs, here.questions, here.starter, Streams(8)),
        views_api.blueprint(here.starter),
        views_audit.blueprint(here.audits),
        views_consent.blueprint(here.executor),
        views_settings.blueprint(VAULT),
        views_shares.bp,
        views_repeating.blueprint(here.starter),
        publishing__portal="/portal/",
        reports__form="/apps/<ident>/report",
        billing__checkout="/checkout/<product_id>",
    )


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
