"""Migrations: from nothing to the models, back, and forth again, without a difference."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from marketplace.infra import migrations
from marketplace.infra.db import Database


@pytest.fixture
def blank(database: Database, tmp_path: Path) -> Iterator[Database]:
    """A database of the same kind as the others, with nothing in it."""
    if database.is_sqlite:
        fresh = Database(f"sqlite:///{tmp_path / 'blank.db'}")
        yield fresh
        fresh.close()
        return
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as admin:
        admin.execute(text("DROP DATABASE IF EXISTS blank"))
        admin.execute(text("CREATE DATABASE blank"))
    url = database.url.set(database="blank").render_as_string(hide_password=False)
    fresh = Database(url)
    yield fresh
    fresh.close()


def tables(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        return set(inspect(connection).get_table_names())


def test_migrations_go_up_down_and_up_again(blank: Database) -> None:
    migrations.upgrade(blank)
    full = tables(blank)
    migrations.downgrade(blank, "base")
    assert tables(blank) == {"alembic_version"}
    migrations.upgrade(blank)
    assert tables(blank) == full
    assert migrations.current(blank) == migrations.head()


def test_the_migrated_database_is_what_the_models_describe(blank: Database) -> None:
    migrations.upgrade(blank)
    with blank.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_object": migrations.is_ours, "compare_type": True},
        )
        assert compare_metadata(context, migrations.TARGET) == []
