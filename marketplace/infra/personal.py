"""What a column says of people: marks by which data is exported and erased with a person.

Every column that holds an id without a foreign key, and every foreign key to the accounts, has a
mark; `tests/structure/test_personal.py` sees to it. So a table that is new tomorrow is exported
and erased as it should be, or its author is asked.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import Column

TIE, WITHHELD = "tie", "withheld"


class Tie(StrEnum):
    """What the id of a person in a column makes of its row.

    OWN: theirs alone. They can take it away, and it goes when they go.
    SHARED: theirs, and others need it too, such as a sale. They can take it away; it stays when
        they go, under an account that names nobody.
    ACTED: about something else, on which they acted. Neither.
    NOBODY: the id is not a person's.
    """

    OWN = "own"
    SHARED = "shared"
    ACTED = "acted"
    NOBODY = "nobody"


def tie(kind: Tie) -> dict[str, Any]:
    """A mark for `sa_column_kwargs`."""
    return {"info": {TIE: kind}}


def withheld() -> dict[str, Any]:
    """A mark for `sa_column_kwargs`: what would open a door, or is others' too; never exported."""
    return {"info": {WITHHELD: True}}


def tie_of(column: Column[Any]) -> Tie | None:
    """The mark of a column."""
    return column.info.get(TIE)


def is_withheld(column: Column[Any]) -> bool:
    """Whether nobody is given what stands in it."""
    return bool(column.info.get(WITHHELD))
