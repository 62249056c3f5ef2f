"""Search in SQLite: FTS5 read in the order of its rows, and two plain tables beside it."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from marketplace.catalog.search_index import Document, Question
from marketplace.catalog.search_tables import TableIndex, asking


class SqliteIndex(TableIndex):
    """FTS5 with a column for each weight."""

    # The words come in their compared form, so the tokenizer has nothing left to fold; `_` begins
    # a facet. Beginnings of up to three letters have an index of their own: longer ones fit few
    # words.
    tables = (
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
            "CREATE TABLE IF NOT EXISTS catalog_search_part (variant TEXT NOT NULL,"
            " part TEXT NOT NULL, PRIMARY KEY (variant, part)) WITHOUT ROWID"
        ),
    )
    row = "rowid"
    put_document = text(
        "INSERT INTO catalog_search (rowid, name, summary, body, facets)"
        " VALUES (:row, :name, :summary, :body, :facets)"
    )
    ask_all = asking(
        row,
        fits="catalog_search MATCH {}",
        is_variant="variant IN (SELECT value FROM json_each(:variants))",
    )

    def _columns(self, document: Document) -> Mapping[str, Any]:
        return {
            "name": " ".join(document.name),
            "summary": " ".join(document.summary),
            "body": " ".join(document.body),
            "facets": " ".join(document.facets),
        }

    def _expressions(self, question: Question) -> Mapping[str, Any]:
        return {
            "name": _expression(question, "name"),
            "summary": _expression(question, "name summary"),
            "text": _expression(question, "name summary body"),
            "variants": json.dumps(sorted(question.variants)),
        }


def _expression(question: Question, columns: str) -> str:
    """What FTS5 is asked; the words hold letters and digits alone, so quotes enclose them."""
    alternatives = (
        "(" + " OR ".join(f'"{beginning}" *' for beginning in beginnings) + ")"
        for beginnings in question.words
    )
    wanted = f"{{{columns}}} : ({' AND '.join(alternatives)})"
    return " AND ".join([wanted, *(f'facets : "{facet}"' for facet in question.facets)])
