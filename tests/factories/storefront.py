"""The storefront's pages for tests, without the rooms above it."""

from flask import Blueprint, Flask
from sqlmodel import Session

from marketplace.catalog import views, views_ratings
from marketplace.catalog.models import App, Release
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.kernel.ids import AccountId, AppId
from marketplace.runs.pages import Panel
from marketplace.web.auth import actor
from tests.factories.pages import make_store


def _panel_for(_session: Session, app: App, release: Release | None) -> Panel:
    actions = release.actions["actions"] if release else []
    return Panel(app=app, actions=actions, chosen="echo", is_signed_in=actor() is not None)


def _has_bought(_session: Session, _person_id: AccountId, _app_id: AppId) -> bool:
    return False


def make_storefront(database: Database, blobs: Blobs, *rooms: Blueprint) -> Flask:
    """The pages of apps and of their ratings, and these rooms; nobody has bought anything."""
    return make_store(
        database,
        views.blueprint(blobs, _panel_for, _has_bought),
        views_ratings.blueprint(_has_bought),
        *rooms,
        publishing__portal="/portal/",
        runs__start="/apps/<ident>/runs",
        billing__checkout="/checkout/<product_id>",
    )
