"""Everything the store keeps of one person, written into a zip of JSON files."""

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from enum import Enum
from itertools import chain
from pathlib import Path
from typing import IO, Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

from sqlalchemy import Column, Label, Table, inspect, select
from sqlmodel import Session

from marketplace.accounts import belongings
from marketplace.accounts.belongings import Rows
from marketplace.accounts.models import Account
from marketplace.infra.personal import Tie, is_withheld, tie_of
from marketplace.kernel.ids import AccountId

ROWS_AT_ONCE = 500
CONTENTS = "contents.json"

# Further files of a person, by their name in the zip; the rooms above know of them.
Files = Callable[[AccountId], Iterator[tuple[str, Path]]]


def write(
    session: Session,
    target: Path,
    person_id: AccountId,
    files: Files,
    *,
    now: datetime,
    told: Callable[[int, int], None],
) -> None:
    """Write the zip: a JSON file for each table that has something of theirs, and `contents.json`.

    Args:
        told: called with how many tables are done, of how many.
    Effects: `target`, whole or not at all. Rows are read in pieces, whatever their number.
    """
    rows = belongings.theirs(person_id)
    contents: dict[str, Any] = {}
    begun = target.with_suffix(".part")
    with ZipFile(begun, "w", ZIP_DEFLATED) as archive:
        for number, table in enumerate(rows):
            told(number, len(rows))
            if count := _write_table(session, archive, table, rows, person_id):
                contents[f"{table.name}.json"] = {"rows": count, "what": _what(table)}
        for name, path in files(person_id):
            archive.write(path, name)
            contents[name] = {"what": "A file that was given to a run."}
        made = {"made_at": now.isoformat(), "files": contents}
        archive.writestr(CONTENTS, json.dumps(made, ensure_ascii=False, indent=2))
    begun.replace(target)
    told(len(rows), len(rows))


def _write_table(
    session: Session, archive: ZipFile, table: Table, rows: Rows, person_id: AccountId
) -> int:
    shown: list[Column[Any] | Label[Any]] = [
        *(column for column in table.c if not is_withheld(column)),
        *_idents(table),
    ]
    wanted = select(*shown).where(rows[table]).order_by(*table.primary_key.columns)
    found = session.connection().execute(wanted, execution_options={"yield_per": ROWS_AT_ONCE})
    count = 0
    first = found.fetchone()
    if first is None:
        return 0
    with archive.open(f"{table.name}.json", "w") as file:
        for row in chain([first], found):
            _write_row(file, shown, row, person_id, is_first=count == 0)
            count += 1
        file.write(b"\n]\n")
    return count


def _idents(table: Table) -> list[Label[Any]]:
    """The public name of each app that a row points at, whose id says nothing to a person."""
    return [
        select(key.column.table.c.ident)
        .where(key.column == key.parent)
        .scalar_subquery()
        .label(key.parent.name.removesuffix("_id"))
        for key in table.foreign_keys
        if "ident" in key.column.table.c
    ]


def _write_row(
    file: IO[bytes],
    columns: list[Column[Any] | Label[Any]],
    row: Any,
    person_id: AccountId,
    *,
    is_first: bool,
) -> None:
    told = {
        column.name: _plain(value)
        for column, value in zip(columns, row, strict=True)
        if isinstance(column, Label) or not _is_another(column, value, person_id)
    }
    file.write(b"[\n" if is_first else b",\n")
    file.write(json.dumps(told, ensure_ascii=False).encode())


def _is_another(column: Column[Any], value: Any, person_id: AccountId) -> bool:
    """Whether this names somebody else: a sale is its buyer's and its developer's."""
    return tie_of(column) not in {None, Tie.NOBODY} and value != person_id


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return value.value
        case UUID():
            return str(value)
        case datetime() | date():
            return value.isoformat()
    return value


def _what(table: Table) -> str:
    """What a table holds, in the words of its class."""
    for mapper in inspect(Account).registry.mappers:
        if mapper.local_table is table:
            return (mapper.class_.__doc__ or "").partition("\n\n")[0].replace("\n    ", " ")
    return ""
