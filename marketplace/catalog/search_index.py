"""The port of search: what an index keeps of an app, and what it is asked.

An app is filed under a whole number that grows as it matters less, so an index that reads its
entries in their order meets the best ones first and may stop early, however many fit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from sqlalchemy import Connection
from sqlmodel import Session

ROW_BITS = 44
STEPS_A_POINT = 8
MOST_STEPS = 255
MOST_OF_A_TIER = 150
MOST_HITS = 500


class Tier(IntEnum):
    """Where the words of a query were found; the value is what it counts."""

    NAME_ITSELF = 1000
    NAME = 8
    SUMMARY = 3
    TEXT = 1


def row_for(prior: float, unique: int) -> int:
    """The number an app is filed under: smaller for a higher prior, else by `unique`."""
    return MOST_STEPS - min(MOST_STEPS, int(prior * STEPS_A_POINT)) << ROW_BITS | unique


def prior_of(row: int) -> float:
    """The prior an app was filed with, to an eighth."""
    return (MOST_STEPS - (row >> ROW_BITS)) / STEPS_A_POINT


@dataclass(frozen=True)
class Document:
    """One app as an index keeps it; every word is in the form in which it is compared.

    Args:
        keys: its names, whole.
        facets: what it can be filtered by; each begins with a low line, as no word does.
        parts: beginnings of the words by which a slip of the finger is mended.
    """

    row: int
    keys: Sequence[str]
    name: Sequence[str]
    summary: Sequence[str]
    body: Sequence[str]
    facets: Sequence[str]
    parts: Iterable[str]


@dataclass(frozen=True)
class Question:
    """What is sought.

    Args:
        key: the query as it would be if it were a name.
        words: for each word that was typed the beginnings that count as that word.
        facets: what every result must have.
        variants: what would lead to words that are spelt alike.
    """

    key: str
    words: Sequence[Sequence[str]]
    facets: Sequence[str] = ()
    variants: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Answer:
    """What an index has: (weight of the tier, row) of each hit, and known parts."""

    hits: Sequence[tuple[int, int]]
    parts: Sequence[str]


class SearchIndex(Protocol):
    """One index in the store's own database, part of the caller's transaction."""

    def create(self, connection: Connection) -> None:
        """Make its tables."""

    def drop(self, connection: Connection) -> None:
        """Remove its tables."""

    def put(self, session: Session, documents: Sequence[Document]) -> None:
        """Add documents whose rows are new."""

    def remove(self, session: Session, rows: Sequence[int]) -> None:
        """Forget these rows; unknown ones are no error."""

    def ask(self, session: Session, question: Question) -> Answer:
        """What fits, in one statement."""
