"""Apps and releases for tests."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Account
from marketplace.catalog import search, service
from marketplace.catalog.models import App, AppState, Product, Release, ReleaseState
from marketplace.kernel.ids import new_id
from tests.factories.accounts import make_account

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACTIONS = {
    "actions": [
        {
            "name": "echo",
            "title": "Echo",
            "doc": "Say it again.",
            "input_schema": {
                "type": "object",
                "properties": {"text": {"type": "string"}},
                "required": ["text"],
            },
        }
    ]
}


def manifest_of(ident: str, version: str, **sections: Any) -> dict[str, Any]:
    """A manifest as JSON; `sections` replace or add keys of the top level or of `app`."""
    app = {
        "id": ident,
        "name": ident.rpartition(".")[2].capitalize(),
        "version": version,
        "summary": "A small app that tests can bend.",
        "description": "It says again what you said, and a little more.",
        "categories": ["fun"],
        "licence": "Apache-2.0",
        "age": 3,
        "icon": "assets/icon.svg",
        **sections.pop("app", {}),
    }
    return {
        "app": app,
        "runtime": {"kind": "python", "entry": "app", "api": "1"},
        "model": {},
        "limits": {"llm_tokens": 256},
        "permission": [],
        "product": [],
        "ad_slot": [],
        **sections,
    }


def make_app(session: Session, *, owner: Account | None = None, **given: Any) -> App:
    """A listed app without a release; `given` overrides any column."""
    owner = owner or make_account(session, is_developer=True)
    number = new_id().hex[-8:]
    values: dict[str, Any] = {
        "ident": f"tests.app-{number}",
        "owner_id": owner.id,
        "name": f"App {number}",
        "summary": "A small app that tests can bend.",
        "description": "It says again what you said, and a little more.",
        "category": "fun",
        "age": 3,
        "state": AppState.LISTED,
        "created_at": NOON,
        "published_at": NOON,
        **given,
    }
    app = App(**values)
    session.add(app)
    session.flush()  # rows that point at the app need it in the database first
    return app


def make_release(session: Session, *, app: App | None = None, **given: Any) -> Release:
    """A release in review; of a hidden app of its own unless one is given."""
    app = app or make_app(session, state=AppState.HIDDEN, published_at=None)
    version = given.get("version", "1.0.0")
    values: dict[str, Any] = {
        "app_id": app.id,
        "publisher_id": app.owner_id,
        "version": version,
        "manifest": manifest_of(app.ident, version),
        "actions": ACTIONS,
        "bundle_key": "0" * 64,
        "bundle_bytes": 1000,
        "state": ReleaseState.IN_REVIEW,
        "state_changed_at": NOON,
        "created_at": NOON,
        **given,
    }
    release = Release(**values)
    session.add(release)
    session.flush()  # callers point at it by its id
    return release


def make_listed(session: Session, *, owner: Account | None = None, **given: Any) -> App:
    """A listed app with a published release, found by search."""
    app = make_app(session, owner=owner, **given)
    release = make_release(session, app=app, state=ReleaseState.PUBLISHED)
    app.current_release_id = release.id
    search.index(session, app)
    return app


def make_product(session: Session, app: App, **given: Any) -> Product:
    """Something an app sells: 4.99 USD for the whole app, unless `given` says otherwise."""
    values: dict[str, Any] = {
        "app_id": app.id,
        "key": "whole",
        "name": "The whole app",
        "price_micros": 4_990_000,
        "currency": "USD",
        **given,
    }
    product = Product(**values)
    session.add(product)
    session.flush()  # callers point at it by its id
    service.settle_price(session, session.get_one(App, app.id))
    return product


def found_by(session: Session, query: str) -> list[UUID]:
    """The apps that a search finds, best first."""
    rows = [hit.row for hit in search.find(session, query).hits]
    apps = session.exec(select(App).where(col(App.search_row).in_(rows))).all()
    return [app.id for app in sorted(apps, key=lambda app: rows.index(app.search_row or 0))]
