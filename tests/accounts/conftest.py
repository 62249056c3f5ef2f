"""A small store for the accounts room: the web room, its blueprints, and nothing above."""

import pytest
from flask import Flask

from marketplace.accounts.identity import AccountIdentity
from marketplace.infra.db import Database
from tests.web.small_app import make_app


@pytest.fixture
def small_app(database: Database) -> Flask:
    """The pages of this room over the tests' database."""
    return make_app(database, AccountIdentity(database))
