"""What the tests of the web room share: an app of that room alone, and who may be asking."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from marketplace.infra.db import Database
from tests.web.small_app import People, make_app


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged, instead of its rendering."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def people() -> People:
    """Nobody, until the test says who."""
    return People()


@pytest.fixture
def app(database: Database, people: People) -> Flask:
    """The web room over the tests' database, without any page."""
    return make_app(database, people)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without cookies."""
    return app.test_client()
