"""A Flask app of the web room alone, put together as `marketplace.app` does it."""

from pathlib import Path

from flask import Flask

import marketplace
from marketplace.infra.db import Database
from marketplace.web import csp, csrf, edge, i18n, templating
from marketplace.web.auth import Identity

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
    for part in (edge, csrf, csp, i18n, templating):
        part.install(app)
    return app
