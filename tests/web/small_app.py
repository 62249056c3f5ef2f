"""A Flask app of the web room alone, put together as `marketplace.app` does it."""

from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask
from sqlmodel import Session

import marketplace
from marketplace.infra.db import Database
from marketplace.kernel.ids import AccountId, new_id
from marketplace.web import csp, csrf, edge, i18n, page_cache, templating
from marketplace.web.auth import Actor, Identity, Role

ROOT = Path(marketplace.__file__).parent.parent


def make_app(database: Database, identity: Identity, **config: object) -> Flask:
    """The web room over a database; blueprints and views are the caller's."""
    app = Flask(
        __name__,
        static_folder=str(ROOT / "static"),
        template_folder=str(ROOT / "marketplace" / "templates"),
    )
    app.config.update(
        {
            "SECRET_KEY": "a key for tests",
            "SECURE_COOKIES": False,
            "STORE_NAME": "Test store",
            "PUBLIC_URL": "https://store.example.org",
            "MAX_CONTENT_LENGTH": 64 * 1024,
            **config,
        }
    )
    app.extensions["database"] = database
    app.extensions["identity"] = identity
    for part in (edge, csrf, csp, i18n, templating, page_cache):
        part.install(app)
    return app


class People:
    """An identity that knows whom it is told: secret → person, for cookies and for tokens."""

    def __init__(self) -> None:
        self.sessions: dict[str, Actor] = {}
        self.tokens: dict[str, Actor] = {}

    def by_session(self, session: Session, secret: str, *, now: datetime) -> Actor | None:
        return self.sessions.get(secret)

    def by_token(self, session: Session, secret: str, *, now: datetime) -> Actor | None:
        return self.tokens.get(secret)


def make_actor(*roles: Role, **given: Any) -> Actor:
    """A person who asks; `given` overrides any field."""
    values: dict[str, Any] = {
        "id": AccountId(new_id()),
        "name": "Lina",
        "email": "lina@example.org",
        "roles": frozenset({Role.SHOPPER, *roles}),
        "locale": None,
        **given,
    }
    return Actor(**values)
