"""Search in SQLite: FTS5 read in the order of its rows, and two plain tables beside it."""

import json
from collections.abc import Sequence

from sqlalchemy import Connection, text
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

# The words come in their compared form, so the tokenizer has nothing left to fold; `_` begins a
# facet. Beginnings of up to three letters have an index of their own: longer ones fit few words.
TABLES = (
    (
        "CREATE VIRTUAL TABLE IF NOT EXISTS catalog_search USING fts5("
        "name, summary, body, facets, content='', contentless_delete=1, "
        "tokenize=\"unicode61 remove_diacritics 0 tokenchars '_'\", prefix='1 2 3')"
    ),
    (
        "CREATE TABLE IF NOT EXISTS catalog_search_name ("
        "key TEXT NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (key, row)) WITHOUT ROWID"
    ),
    "CREATE INDEX IF NOT EXISTS catalog_search_name_row ON catalog_search_name (row)",
    (
        "CREATE TABLE IF NOT EXISTS catalog_search_part ("
        "variant TEXT NOT NULL, part TEXT NOT NULL, PRIMARY KEY (variant, part)) WITHOUT ROWID"
    ),
)
NAMES = ("catalog_search", "catalog_search_name", "catalog_search_part")
MATCHING = "SELECT rowid FROM catalog_search WHERE catalog_search MATCH"
ASK = text(
    f"SELECT {Tier.NAME_ITSELF:d}, row, NULL FROM"  # noqa: S608  (our own words)
    " (SELECT row FROM catalog_search_name AS named"
    f" WHERE key = :key AND EXISTS ({MATCHING} :text AND rowid = named.row) LIMIT :few)"
    f" UNION ALL SELECT {Tier.NAME:d}, rowid, NULL FROM"
    f" ({MATCHING} :name ORDER BY rowid LIMIT :few)"
    f" UNION ALL SELECT {Tier.SUMMARY:d}, rowid, NULL FROM"
    f" ({MATCHING} :summary ORDER BY rowid LIMIT :few)"
    f" UNION ALL SELECT {Tier.TEXT:d}, rowid, NULL FROM"
    f" ({MATCHING} :text ORDER BY rowid LIMIT :many)"
    " UNION ALL SELECT DISTINCT 0, 0, part FROM catalog_search_part"
    " WHERE variant IN (SELECT value FROM json_each(:variants))"
)


class SqliteIndex:
    """FTS5 with a column for each weight."""

    def create(self, connection: Connection) -> None:
        """Make its tables."""
        for statement in TABLES:
            connection.execute(text(statement))

    def drop(self, connection: Connection) -> None:
        """Remove its tables."""
        for name in NAMES:
            connection.execute(text(f"DROP TABLE IF EXISTS {name}"))

    def put(self, session: Session, documents: Sequence[Document]) -> None:
        """Add documents whose rows are new."""
        run = session.connection().execute
        run(
            text(
                "INSERT INTO catalog_search (rowid, name, summary, body, facets)"
                " VALUES (:row, :name, :summary, :body, :facets)"
            ),
            [
                {
                    "row": document.row,
                    "name": " ".join(document.name),
                    "summary": " ".join(document.summary),
                    "body": " ".join(document.body),
                    "facets": " ".join(document.facets),
                }
                for document in documents
            ],
        )
        run(
            text("INSERT OR IGNORE INTO catalog_search_name (key, row) VALUES (:key, :row)"),
            [{"key": key, "row": document.row} for document in documents for key in document.keys],
        )
        parts = sorted({part for document in documents for part in document.parts})
        if parts:
            run(
                text("INSERT OR IGNORE INTO catalog_search_part VALUES (:variant, :part)"),
                [
                    {"variant": variant, "part": part}
                    for part in parts
                    for variant in variants(part)
                ],
            )

    def remove(self, session: Session, rows: Sequence[int]) -> None:
        """Forget these rows; unknown ones are no error."""
        values = [{"row": row} for row in rows]
        run = session.connection().execute
        run(text("DELETE FROM catalog_search WHERE rowid = :row"), values)
        run(text("DELETE FROM catalog_search_name WHERE row = :row"), values)

    def ask(self, session: Session, question: Question) -> Answer:
        """What fits, in one statement."""
        values = {
            "key": question.key,
            "name": _expression(question, "name"),
            "summary": _expression(question, "name summary"),
            "text": _expression(question, "name summary body"),
            "few": MOST_OF_A_TIER,
            "many": MOST_HITS,
            "variants": json.dumps(sorted(question.variants)),
        }
        rows = session.connection().execute(ASK, values).all()
        return Answer(
            hits=[(tier, row) for tier, row, _part in rows if tier],
            parts=[part for tier, _row, part in rows if not tier],
        )


def _expression(question: Question, columns: str) -> str:
    """What FTS5 is asked; the words hold letters and digits alone, so quotes enclose them."""
    alternatives = (
        "(" + " OR ".join(f'"{beginning}" *' for beginning in beginnings) + ")"
        for beginnings in question.words
    )
    wanted = f"{{{columns}}} : ({' AND '.join(alternatives)})"
    return " AND ".join([wanted, *(f'facets : "{facet}"' for facet in question.facets)])
