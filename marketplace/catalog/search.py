"""Search: one port over SQLite's FTS5 and PostgreSQL's full text and trigrams."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, event, text
from sqlmodel import Session, SQLModel, col, select

from marketplace.catalog.models import App, AppState, ListingText
from marketplace.kernel.ids import AppId

MOST_RESULTS = 50
LONGEST_QUERY = 200
ALIKE = 0.5
# Folds what Arabic writers leave out or vary: alef with hamza or madda, alef maqsura, ta marbuta.
FOLDED = str.maketrans("أإآٱىةؤئ", "اااايهوي")
TATWEEL = "ـ"
WORD = re.compile(r"\w+")

SQLITE = (
    (
        "CREATE VIRTUAL TABLE IF NOT EXISTS catalog_search USING fts5("
        "app_id UNINDEXED, name, body, tokenize='unicode61 remove_diacritics 2', prefix='2 3')"
    ),
    (
        "CREATE VIRTUAL TABLE IF NOT EXISTS catalog_search_trigram USING fts5("
        "app_id UNINDEXED, name, tokenize='trigram')"
    ),
)
POSTGRES = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    (
        "CREATE TABLE IF NOT EXISTS catalog_search (app_id uuid PRIMARY KEY, name text NOT NULL, "
        "body text NOT NULL, words tsvector GENERATED ALWAYS AS "
        "(setweight(to_tsvector('simple', name), 'A') || to_tsvector('simple', body)) STORED)"
    ),
    "CREATE INDEX IF NOT EXISTS catalog_search_words ON catalog_search USING gin (words)",
    (
        "CREATE INDEX IF NOT EXISTS catalog_search_names ON catalog_search "
        "USING gin (name gin_trgm_ops)"
    ),
)


def normalised(words: str) -> str:
    """The text as it is compared: small letters, no accents, one form of each Arabic letter.

    `كَتَبَ` becomes `كتب`, `إدارة` becomes `اداره`, `Café` becomes `cafe`.
    """
    apart = unicodedata.normalize("NFKD", words)
    bare = "".join(c for c in apart if not unicodedata.combining(c) and c != TATWEEL)
    # Only taken apart are letters such as the mathematical capitals that can be made small.
    return unicodedata.normalize("NFKC", bare.casefold()).translate(FOLDED)


def create(connection: Connection) -> None:
    """Make the index's tables; they are not SQLModel's, so migrations call this."""
    for statement in SQLITE if connection.dialect.name == "sqlite" else POSTGRES:
        connection.execute(text(statement))


def drop(connection: Connection) -> None:
    """Remove the index's tables."""
    connection.execute(text("DROP TABLE IF EXISTS catalog_search"))
    connection.execute(text("DROP TABLE IF EXISTS catalog_search_trigram"))


def _after_create(_target: Any, connection: Connection, **_options: Any) -> None:
    create(connection)


event.listen(SQLModel.metadata, "after_create", _after_create)


def index(session: Session, app: App) -> None:
    """Put an app's present texts, in every language, into the index; unlist it when hidden."""
    session.flush()  # the texts must be in the transaction to be read back
    sqlite = _is_sqlite(session)
    for table in ("catalog_search", *(("catalog_search_trigram",) if sqlite else ())):
        _run(
            session,
            f"DELETE FROM {table} WHERE app_id = :id",  # noqa: S608  (our own names)
            {"id": _key(session, app.id)},
        )
    if app.state is not AppState.LISTED:
        return
    others = session.exec(select(ListingText).where(ListingText.app_id == app.id)).all()
    names = normalised(" ".join([app.name, app.ident, *(other.name for other in others)]))
    bodies = [app.summary, app.description, app.category]
    bodies += [part for other in others for part in (other.summary, other.description)]
    values = {
        "id": _key(session, app.id),
        "name": names,
        "body": normalised(" ".join(bodies)),
    }
    _run(
        session,
        "INSERT INTO catalog_search (app_id, name, body) VALUES (:id, :name, :body)",
        values,
    )
    if sqlite:
        _run(
            session,
            "INSERT INTO catalog_search_trigram (app_id, name) VALUES (:id, :name)",
            {"id": values["id"], "name": names},
        )


def find(session: Session, query: str) -> list[AppId]:
    """The listed apps that fit, best first: exact names, then words, then names spelt alike."""
    words = _compared(query[:LONGEST_QUERY]).split()
    if not words:
        return []
    rows = _find_sqlite(session, words) if _is_sqlite(session) else _find_postgres(session, words)
    names = _names(session, rows)
    exact = " ".join(words)
    # The sort is stable, so below an exact name the index's own order stays.
    found = sorted(dict.fromkeys(rows), key=lambda app_id: exact not in names.get(app_id, ()))
    return [app_id for app_id in found if app_id in names][:MOST_RESULTS]


def _names(session: Session, ids: Sequence[AppId]) -> dict[UUID, set[str]]:
    """The names of those apps that are listed, in every language, as they are compared."""
    listed = session.exec(
        select(App.id, App.name).where(col(App.id).in_(ids), App.state == AppState.LISTED)
    ).all()
    names = {app_id: {_compared(name)} for app_id, name in listed}
    others = session.exec(
        select(ListingText.app_id, ListingText.name).where(col(ListingText.app_id).in_(names))
    ).all()
    for app_id, name in others:
        names[app_id].add(_compared(name))
    return names


def _compared(name: str) -> str:
    return " ".join(WORD.findall(normalised(name)))


def _find_sqlite(session: Session, words: Sequence[str]) -> list[AppId]:
    found = _rows(
        session,
        "SELECT app_id FROM catalog_search WHERE catalog_search MATCH :q "
        "ORDER BY bm25(catalog_search, 0, 10, 1) LIMIT :n",
        {"q": " ".join(f'"{word}"*' for word in words), "n": MOST_RESULTS},
    )
    grams = {word[i : i + 3] for word in words for i in range(len(word) - 2)}
    if not grams:
        return found
    candidates = session.connection().execute(
        text(
            "SELECT app_id, name FROM catalog_search_trigram "
            "WHERE catalog_search_trigram MATCH :q ORDER BY rank LIMIT :n"
        ),
        {"q": " OR ".join(f'"{gram}"' for gram in sorted(grams)), "n": MOST_RESULTS},
    )
    alike = [(likeness(words, name), _as_uuid(app_id)) for app_id, name in candidates]
    near = sorted((one for one in alike if one[0] >= ALIKE), key=lambda one: -one[0])
    return found + [AppId(app_id) for _likeness, app_id in near]


def likeness(words: Sequence[str], name: str) -> float:
    """How much of the words is in a name, from 0 to 1, by groups of three letters.

    The same measure as pg_trgm's word similarity, up to the order of the groups: words begin
    with two blanks and end with one. `phrasbook` against `phrasebook` gives 8/10.
    """
    sought = set().union(*map(_grams, words))
    offered = set().union(*map(_grams, WORD.findall(name)), set())
    return len(sought & offered) / len(sought)


def _grams(word: str) -> set[str]:
    padded = f"  {word} "
    return {padded[i : i + 3] for i in range(len(padded) - 2)}


def _find_postgres(session: Session, words: Sequence[str]) -> list[AppId]:
    found = _rows(
        session,
        "SELECT app_id FROM catalog_search, to_tsquery('simple', :q) AS query "
        "WHERE words @@ query ORDER BY ts_rank(words, query) DESC LIMIT :n",
        {"q": " & ".join(f"{word}:*" for word in words), "n": MOST_RESULTS},
    )
    # The index answers `<%` by this threshold, for this transaction alone.
    _run(
        session,
        "SELECT set_config('pg_trgm.word_similarity_threshold', :alike, true)",
        {"alike": str(ALIKE)},
    )
    found += _rows(
        session,
        "SELECT app_id FROM catalog_search WHERE :q <% name "
        "ORDER BY word_similarity(:q, name) DESC LIMIT :n",
        {"q": " ".join(words), "n": MOST_RESULTS},
    )
    return found


def _rows(session: Session, statement: str, values: dict[str, Any]) -> list[AppId]:
    rows = session.connection().execute(text(statement), values).all()
    return [AppId(_as_uuid(row[0])) for row in rows]


def _run(session: Session, statement: str, values: dict[str, Any]) -> None:
    session.connection().execute(text(statement), values)


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _key(session: Session, app_id: AppId) -> Any:
    # FTS5 keeps text; PostgreSQL has a type for it.
    return app_id.hex if _is_sqlite(session) else app_id


def _as_uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)
