"""Search in PostgreSQL: one weighted tsvector for each app, read in the order of its rows."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from marketplace.catalog.search_index import Document, Question
from marketplace.catalog.search_tables import TableIndex, asking


class PostgresIndex(TableIndex):
    """A tsvector whose weights A, B and C are name, summary and text."""

    tables = (
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
    row = "catalog_search.row"
    put_document = text(
        "INSERT INTO catalog_search (row, words) VALUES (:row, CAST(:words AS tsvector))"
    )
    ask_all = asking(
        row, fits="words @@ CAST({} AS tsquery)", is_variant="variant = ANY(:variants)"
    )

    def _columns(self, document: Document) -> Mapping[str, Any]:
        return {"words": _vector(document)}

    def _expressions(self, question: Question) -> Mapping[str, Any]:
        return {
            "name": _expression(question, "A"),
            "summary": _expression(question, "AB"),
            "text": _expression(question, "ABC"),
            "variants": sorted(question.variants),
        }


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
