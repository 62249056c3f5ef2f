"""Which rows of the whole store are one person's, read from the marks at the tables' columns."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, or_, select
from sqlmodel import SQLModel

from marketplace.accounts.models import Account
from marketplace.infra.personal import Tie, tie_of
from marketplace.kernel.ids import AccountId

Rows = Mapping[Table, ColumnElement[bool]]

EXPORTED = frozenset({Tie.OWN, Tie.SHARED})
ERASED = frozenset({Tie.OWN})


def accounts_table() -> Table:
    """The table of the people themselves."""
    found: Table = SQLModel.metadata.tables[str(Account.__tablename__)]
    return found


def theirs(person_id: AccountId) -> Rows:
    """Table → the rows that a person may take away, those before that others point at.

    A table without a mark belongs to whom the rows belong that its rows point at: a campaign's
    flights go with the campaign. A rating of their app does not: it is its writer's.
    """
    own = accounts_table()
    found: dict[Table, ColumnElement[bool]] = {own: own.c.id == person_id}
    for table in SQLModel.metadata.sorted_tables:
        marked = _marked(table, EXPORTED)
        conditions = [column == person_id for column in marked] or _hanging(table, found)
        if table is not own and conditions:
            found[table] = or_(*conditions)
    return found


def leaving(person_id: AccountId) -> Rows:
    """Table → the rows that go when a person goes: their own, and whatever points at those."""
    found: dict[Table, ColumnElement[bool]] = {}
    for table in SQLModel.metadata.sorted_tables:
        conditions = [column == person_id for column in _marked(table, ERASED)]
        if conditions := conditions + _hanging(table, found):
            found[table] = or_(*conditions)
    return found


def _marked(table: Table, kinds: Collection[Tie]) -> list[Column[Any]]:
    return [column for column in table.c if tie_of(column) in kinds]


def _hanging(table: Table, found: Rows) -> list[ColumnElement[bool]]:
    """Whether a row points at one of these; who acted on it does not count as a row."""
    return [
        key.parent.in_(select(key.column).where(found[key.column.table]))
        for key in sorted(table.foreign_keys, key=lambda key: key.parent.name)
        if key.column.table in found and key.column.table is not accounts_table()
    ]
