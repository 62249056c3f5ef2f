"""What the tests of the catalog share."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session

from marketplace.infra.db import Database


@pytest.fixture
def counted(session: Session) -> Iterator[list[str]]:
    """The statements the session sends, as they come."""
    sent: list[str] = []

    def keep(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", keep)
    yield sent
    event.remove(connection, "before_cursor_execute", keep)


@pytest.fixture
def sent(empty_database: Database) -> Iterator[list[str]]:
    """The statements that reach the database."""
    statements: list[str] = []

    def keep(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            statements.append(statement)

    event.listen(empty_database.engine, "before_cursor_execute", keep)
    yield statements
    event.remove(empty_database.engine, "before_cursor_execute", keep)
