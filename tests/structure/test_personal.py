"""Nothing of a person is forgotten when their data is exported or erased."""

import re

import pytest
from sqlalchemy import Column, Uuid
from sqlmodel import SQLModel

from marketplace.accounts.models import Account
from marketplace.infra.personal import is_withheld, tie_of

PEOPLE = str(Account.__tablename__)
OPENS_A_DOOR = re.compile(r"hash|secret|sealed|nonce|token$|password|gateway_ref|payment_ref")
COLUMNS = [
    pytest.param(column, id=f"{table.name}.{column.name}")
    for table in SQLModel.metadata.sorted_tables
    for column in table.c
]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_that_may_hold_a_persons_id_says_whose_its_row_is(column: Column[object]) -> None:
    """Mark it with `sa_column_kwargs=tie(…)`; `marketplace/infra/personal.py` says how."""
    points_at = {key.column.table.name for key in column.foreign_keys}
    may_be_a_person = PEOPLE in points_at or (
        isinstance(column.type, Uuid) and not points_at and column.name != "id"
    )
    assert (tie_of(column) is not None) == may_be_a_person


@pytest.mark.parametrize("column", COLUMNS)
def test_what_would_open_a_door_is_never_given_away(column: Column[object]) -> None:
    """Mark it with `sa_column_kwargs=withheld()`."""
    assert is_withheld(column) or not OPENS_A_DOOR.search(column.name)
