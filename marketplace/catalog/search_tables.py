"""What both indexes of search share: three tables, one statement, and how its rows are read."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy import Connection, TextClause, text
from sqlmodel import Session

from marketplace.catalog.matching import variants
from marketplace.catalog.search_index import (
    MOST_HITS,
    MOST_OF_A_TIER,
    Answer,
    Document,
    Question,
    Tier,
)

DOCUMENTS, NAMES, PARTS = "catalog_search", "catalog_search_name", "catalog_search_part"
PUT_NAME = text(f"INSERT INTO {NAMES} (key, row) VALUES (:key, :row) ON CONFLICT DO NOTHING")  # noqa: S608  (our own names)
PUT_PART = text(
    f"INSERT INTO {PARTS} (variant, part) VALUES (:variant, :part) ON CONFLICT DO NOTHING"  # noqa: S608  (our own names)
)


def asking(row: str, fits: str, is_variant: str) -> TextClause:
    """The one statement of a question, in one database's own words.

    Args:
        row: what holds a document's number.
        fits: the condition that a document fits, with {} for the expression's parameter.
        is_variant: the condition that a part's `variant` is one of the question's.
    """

    def tier(value: Tier, expression: str, most: str) -> str:
        matching = f"SELECT {row} AS row FROM {DOCUMENTS} WHERE {fits.format(expression)}"  # noqa: S608  (our own words)
        return (
            f"SELECT {value:d}, row, NULL FROM"  # noqa: S608  (our own words)
            f" ({matching} ORDER BY {row} LIMIT {most}) AS {value.name.lower()}"
        )

    itself = (
        f"SELECT {Tier.NAME_ITSELF:d} AS tier, row, NULL AS part FROM (SELECT row FROM {NAMES}"  # noqa: S608  (our own words)
        f" AS named WHERE key = :key AND EXISTS (SELECT 1 FROM {DOCUMENTS}"
        f" WHERE {fits.format(':text')} AND {row} = named.row) LIMIT :few) AS itself"
    )
    parts = (
        f"SELECT 0, 0, part FROM (SELECT DISTINCT part FROM {PARTS} WHERE {is_variant}) AS parts"  # noqa: S608  (our own words)
    )
    return text(
        " UNION ALL ".join(
            (
                itself,
                tier(Tier.NAME, ":name", ":few"),
                tier(Tier.SUMMARY, ":summary", ":few"),
                tier(Tier.TEXT, ":text", ":many"),
                parts,
            )
        )
    )


class TableIndex(ABC):
    """A `SearchIndex` in three tables of the store's own database.

    Args:
        tables: what makes them; each statement does nothing where its table is.
        row: what holds a document's number.
        put_document: adds one document.
        ask_all: what `asking` gives.
    """

    tables: ClassVar[Sequence[str]]
    row: ClassVar[str]
    put_document: ClassVar[TextClause]
    ask_all: ClassVar[TextClause]

    @abstractmethod
    def _columns(self, document: Document) -> Mapping[str, Any]:
        """What `put_document` needs beside the row."""

    @abstractmethod
    def _expressions(self, question: Question) -> Mapping[str, Any]:
        """The parameters `name`, `summary`, `text` and `variants` of `ask_all`."""

    def create(self, connection: Connection) -> None:
        """Make its tables."""
        for statement in self.tables:
            connection.execute(text(statement))

    def drop(self, connection: Connection) -> None:
        """Remove its tables."""
        for name in (DOCUMENTS, NAMES, PARTS):
            connection.execute(text(f"DROP TABLE IF EXISTS {name}"))

    def put(self, session: Session, documents: Sequence[Document]) -> None:
        """Add documents whose rows are new."""
        run = session.connection().execute
        run(
            self.put_document,
            [{"row": document.row, **self._columns(document)} for document in documents],
        )
        run(
            PUT_NAME,
            [{"key": key, "row": document.row} for document in documents for key in document.keys],
        )
        # In one order always: two transactions that add the same parts wait, but never for
        # each other.
        parts = sorted({part for document in documents for part in document.parts})
        if parts:
            run(
                PUT_PART,
                [
                    {"variant": variant, "part": part}
                    for part in parts
                    for variant in sorted(variants(part))
                ],
            )

    def remove(self, session: Session, rows: Sequence[int]) -> None:
        """Forget these rows; unknown ones are no error."""
        values = [{"row": row} for row in rows]
        run = session.connection().execute
        run(text(f"DELETE FROM {DOCUMENTS} WHERE {self.row} = :row"), values)  # noqa: S608  (our own names)
        run(text(f"DELETE FROM {NAMES} WHERE row = :row"), values)  # noqa: S608  (our own names)

    def ask(self, session: Session, question: Question) -> Answer:
        """What fits, in one statement."""
        values = {
            "key": question.key,
            "few": MOST_OF_A_TIER,
            "many": MOST_HITS,
            **self._expressions(question),
        }
        rows = session.connection().execute(self.ask_all, values).all()
        return Answer(
            hits=[(tier, row) for tier, row, _part in rows if tier],
            parts=[part for tier, _row, part in rows if not tier],
        )
