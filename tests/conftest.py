"""Fixtures for every room: a database of each kind, and a session that leaves no trace."""

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlmodel import Session, SQLModel

import marketplace
from marketplace.billing import seal
from marketplace.catalog import search
from marketplace.infra import jobs as _jobs  # noqa: F401  (registers its tables)
from marketplace.infra.db import Database

# A machine under load is slow, not wrong: no property fails for the time it took.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
# `make fuzz` looks for much longer, and remembers nothing between runs but what has failed.
hypothesis.settings.register_profile(
    "fuzz", hypothesis.settings.get_profile("suite"), max_examples=10_000
)
hypothesis.settings.load_profile(os.environ.get("CARAVAN_HYPOTHESIS", "suite"))

# Importing a room's models registers its tables.
for _room in sorted(Path(marketplace.__file__).parent.glob("*/models.py")):
    import_module(f"marketplace.{_room.parent.name}.models")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Walk in the browser last: its library keeps an event loop, beside which no other may run."""
    items.sort(key=lambda item: "e2e" in item.path.parts)


def _fresh_postgres(url: str) -> Database:
    database = Database(url)
    with database.engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return database


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One database for the run, SQLite or what CARAVAN_TEST_DATABASE_URL names (it is emptied)."""
    url = os.environ.get("CARAVAN_TEST_DATABASE_URL")
    if url:
        database = _fresh_postgres(url)
    else:
        file: Path = tmp_path_factory.mktemp("database") / "store.db"
        database = Database(f"sqlite:///{file}")
    SQLModel.metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def empty_database(database: Database) -> Iterator[Database]:
    """The database, emptied afterwards, for tests whose subject commits by itself."""
    yield database
    with database.engine.begin() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        # The ledger refuses deletes, by triggers.
        seal.take_off(connection)
        for table in reversed(SQLModel.metadata.sorted_tables):
            connection.execute(table.delete())
        seal.put_on(connection)
        # The index's tables are not SQLModel's.
        search.drop(connection)
        search.create(connection)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """A session inside an outer transaction that is rolled back at the end."""
    with database.engine.connect() as connection:
        transaction = connection.begin()
        with Session(
            connection, join_transaction_mode="create_savepoint", expire_on_commit=False
        ) as session:
            yield session
        transaction.rollback()


@pytest.fixture
def client(app: Flask, empty_database: Database) -> FlaskClient:
    """A browser that nobody is signed in with, over the pages that a module calls `app`."""
    return app.test_client()
