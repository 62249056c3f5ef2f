"""What the tests of accounts share: the web room, so that letters and cookies have their place."""

import pytest
from flask import Flask

from marketplace.accounts.identity import AccountIdentity
from marketplace.infra.db import Database
from tests.web.small_app import make_app


@pytest.fixture
def small_app(database: Database) -> Flask:
    """The web room over the tests' database, fresh for each test, without any page."""
    return make_app(database, AccountIdentity(database))
