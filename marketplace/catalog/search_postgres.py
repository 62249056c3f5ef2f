"""Search in PostgreSQL: one weighted tsvector for each app, read in the order of its rows."""

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

TABLES = (
    (
        "CREATE TABLE IF NOT EXISTS catalog_search ("
        "row bigint CONSTRAINT catalog_search_pkey PRIMARY KEY, words tsvector NOT NULL)"
    ),
    "CREATE INDEX IF NOT EXISTS catalog_search_words ON catalog_search USING gin (words)",
    (
        "CREATE TABLE IF NOT EXISTS catalog_search_name ("
        'key text COLLATE "C" NOT NULL, row bigint NOT NULL, PRIMARY KEY (key, row))'
    ),
    "CREATE INDEX IF NOT EXISTS catalog_search_name_row ON catalog_search_name (row)",
    (
        'CREATE TABLE IF NOT EXISTS catalog_search_part (variant text COLLATE "C" NOT NULL,'
        ' part text COLLATE "C" NOT NULL, PRIMARY KEY (variant, part))'
    ),
)
NAMES = ("catalog_search", "catalog_search_name", "catalog_search_part")
MATCHING = "SELECT row FROM catalog_search WHERE words @@ CAST"
ASK = text(
    f"SELECT {Tier.NAME_ITSELF:d} AS tier, row, NULL AS part FROM"  # noqa: S608  (our own words)
    " (SELECT row FROM catalog_search_name AS named WHERE key = :key AND EXISTS"
    f" ({MATCHING} (:text AS tsquery) AND catalog_search.row = named.row) LIMIT :few) AS itself"
    f" UNION ALL SELECT {Tier.NAME:d}, row, NULL FROM"
    f" ({MATCHING} (:name AS tsquery) ORDER BY row LIMIT :few) AS names"
    f" UNION ALL SELECT {Tier.SUMMARY:d}, row, NULL FROM"
    f" ({MATCHING} (:summary AS tsquery) ORDER BY row LIMIT :few) AS summaries"
    f" UNION ALL SELECT {Tier.TEXT:d}, row, NULL FROM"
    f" ({MATCHING} (:text AS tsquery) ORDER BY row LIMIT :many) AS texts"
    " UNION ALL SELECT 0, 0, part FROM (SELECT DISTINCT part FROM catalog_search_part"
    " WHERE variant = ANY(:variants)) AS parts"
)


class PostgresIndex:
    """A tsvector whose weights A, B and C are name, summary and text."""

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
            text("INSERT INTO catalog_search (row, words) VALUES (:row, CAST(:words AS tsvector))"),
            [{"row": document.row, "words": _vector(document)} for document in documents],
        )
        run(
            text(
                "INSERT INTO catalog_search_name (key, row) VALUES (:key, :row)"
                " ON CONFLICT DO NOTHING"
            ),
            [{"key": key, "row": document.row} for document in documents for key in document.keys],
        )
        # In one order always: two transactions that add the same parts wait, but never for
        # each other.
        parts = sorted({part for document in documents for part in document.parts})
        if parts:
            run(
                text(
                    "INSERT INTO catalog_search_part (variant, part) VALUES (:variant, :part)"
                    " ON CONFLICT DO NOTHING"
                ),
                [
                    {"variant": variant, "part": part}
                    for part in parts
                    for variant in sorted(variants(part))
                ],
            )

    def remove(self, session: Session, rows: Sequence[int]) -> None:
        """Forget these rows; unknown ones are no error."""
        run = session.connection().execute
        for table in NAMES[:2]:
            run(text(f"DELETE FROM {table} WHERE row = ANY(:rows)"), {"rows": list(rows)})  # noqa: S608  (our own names)

    def ask(self, session: Session, question: Question) -> Answer:
        """What fits, in one statement."""
        values = {
            "key": question.key,
            "name": _expression(question, "A"),
            "summary": _expression(question, "AB"),
            "text": _expression(question, "ABC"),
            "few": MOST_OF_A_TIER,
            "many": MOST_HITS,
            "variants": sorted(question.variants),
        }
        rows = session.connection().execute(ASK, values).all()
        return Answer(
            hits=[(tier, row) for tier, row, _part in rows if tier],
            parts=[part for tier, _row, part in rows if not tier],
        )


def _vector(document: Document) -> str:
    """The document as tsvector's own notation; its words hold letters and digits alone."""
    places: dict[str, list[str]] = {facet: ["4"] for facet in document.facets}
    for place, words in (("1A", document.name), ("2B", document.summary), ("3C", document.body)):
        for word in words:
            places.setdefault(word, []).append(place)
    return " ".join(f"'{word}':{','.join(dict.fromkeys(at))}" for word, at in places.items())


def _expression(question: Question, weights: str) -> str:
    """What PostgreSQL is asked, in tsquery's own notation."""
    alternatives = (
        "(" + " | ".join(f"'{beginning}':*{weights}" for beginning in beginnings) + ")"
        for beginnings in question.words
    )
    return " & ".join([*alternatives, *(f"'{facet}'" for facet in question.facets)])
