"""What the tests of pages share: a shop over an emptied database, and its people."""

import pytest
from flask import Flask

from marketplace.infra.db import Database
from tests.billing.shop_app import make_shop
from tests.web.small_app import People


@pytest.fixture
def people() -> People:
    """Nobody, until the test says who."""
    return People()


@pytest.fixture
def shop(empty_database: Database, people: People) -> Flask:
    """The pages of billing and advertising."""
    return make_shop(empty_database, people)
