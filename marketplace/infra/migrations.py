"""The database's shape: where it is, and how it gets to where the code expects it."""

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

from alembic import command
from marketplace.infra.db import Database

ROOT = Path(__file__).parent.parent.parent
TARGET = SQLModel.metadata
# Search indexes are built by the search port with SQL that metadata cannot describe.
FOREIGN_PREFIXES = ("catalog_search", "alembic_version")


def is_ours(_object: Any, name: str | None, kind: str, *_rest: Any) -> bool:
    """Whether Alembic should compare this object with the models."""
    return not (kind in {"table", "index"} and (name or "").startswith(FOREIGN_PREFIXES))


def _config() -> Config:
    return Config(str(ROOT / "alembic.ini"))


def head() -> str | None:
    """The newest revision the code knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def current(database: Database) -> str | None:
    """The revision the database is at; None for an empty one."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database to a revision, in one transaction."""
    config = _config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the database back to a revision (`base` is empty), in one transaction."""
    config = _config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
