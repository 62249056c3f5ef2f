"""A row of any table, made from what the table says of itself."""

from datetime import date, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Boolean, Column, Date, Enum, Float, Integer, Table, Uuid, insert
from sqlmodel import Session

from marketplace.infra.types import UtcDateTime
from marketplace.kernel.ids import new_id
from tests.factories.accounts import NOON

_numbers = count(1)
# What a CHECK asks for and no type tells.
PARTICULAR: dict[tuple[str, str], Any] = {
    ("ads_flight", "ends_at"): NOON + timedelta(days=1),
    ("ads_flight", "budget_micros"): 1_000_000,
    ("billing_fee_scheme", "developer_bps"): 7_000,
    ("catalog_rating", "stars"): 4,
    ("ads_creative", "url"): "https://example.org/",
}


def make_row(session: Session, table: Table, **given: Any) -> dict[str, Any]:
    """A row with these columns; whatever it must point at is made as well."""
    values = {
        column.name: given[column.name] if column.name in given else _value(session, column)
        for column in table.c
    }
    session.connection().execute(insert(table).values(values))
    return values


def _value(session: Session, column: Column[Any]) -> Any:
    particular = PARTICULAR.get((column.table.name, column.name))
    if particular is not None:
        return particular
    if column.nullable:
        return None
    for key in column.foreign_keys:
        return make_row(session, key.column.table)[key.column.name]
    return _plain(column)


def _plain(column: Column[Any]) -> Any:
    kind = column.type
    number = next(_numbers)
    match kind:
        case Uuid():
            return UUID(int=new_id().int)
        case Enum():
            return kind.python_type(kind.enums[0]) if kind.enum_class else kind.enums[0]
        case Boolean():
            return False
        case Integer():
            return number
        case Float():
            return 1.0
        case UtcDateTime():
            return NOON
        case Date():
            return date(2026, 3, number % 28 + 1)
        case JSON():
            return []
    text = f"{column.name}-{number}"
    return text[-kind.length :] if getattr(kind, "length", None) else text
