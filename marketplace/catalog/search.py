"""Search: what apps are filed under, what a query means, and the order of what it finds."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, event
from sqlmodel import Session, SQLModel, col, select

from marketplace.catalog import matching, ranking
from marketplace.catalog.models import App, AppState, ListingText
from marketplace.catalog.search_index import (
    MOST_HITS,
    ROW_BITS,
    Answer,
    Document,
    Question,
    SearchIndex,
    Tier,
    prior_of,
    row_for,
)
from marketplace.catalog.search_postgres import PostgresIndex
from marketplace.catalog.search_sqlite import SqliteIndex

LONGEST_QUERY = 200
MOST_WORDS = 8
# With fewer results than this, words that are spelt alike count too, for less.
FEW = 5
MOST_ALIKE = 4
LOOSE = 0.4
SHORTEST_TELLING = 4
WELL_RATED = 4.0
NOTHING_NEAR: Mapping[int, float] = MappingProxyType({})

INDEXES: Mapping[str, SearchIndex] = {"sqlite": SqliteIndex(), "postgresql": PostgresIndex()}


class Hit(NamedTuple):
    """One app that fits.

    Args:
        score: what it is ordered by: `ranking.blended`.
        row: what it is filed under (`App.search_row`).
        weight: a Tier's, of the best place where the words were found; 0 where none were.
        is_loose: whether a word was taken for another one, or not all of them are there.
        closeness: how near it is in meaning, 0 for what is not near.
    """

    score: float
    row: int
    weight: int
    is_loose: bool = False
    closeness: float = 0.0


@dataclass(frozen=True)
class Found:
    """What a query found, best first.

    Args:
        is_cut: whether more fit than are listed.
        meant: the query as it was understood where a slip was mended, else "".
    """

    hits: Sequence[Hit]
    is_cut: bool = False
    meant: str = ""


def index_of(connection: Connection) -> SearchIndex:
    """The index of this kind of database."""
    return INDEXES[connection.dialect.name]


def create(connection: Connection) -> None:
    """Make the index's tables; they are not SQLModel's, so migrations call this."""
    index_of(connection).create(connection)


def drop(connection: Connection) -> None:
    """Remove the index's tables."""
    index_of(connection).drop(connection)


def _after_create(_target: Any, connection: Connection, **_options: Any) -> None:
    create(connection)


event.listen(SQLModel.metadata, "after_create", _after_create)


def index(session: Session, *apps: App) -> None:
    """File these apps' present texts, in every language; take out what is not listed.

    Effects: `App.search_row` is the number under which the app is filed now, None for one that
    is not.
    """
    session.flush()  # the texts must be in the transaction to be read back
    found = index_of(session.connection())
    if old := [app.search_row for app in apps if app.search_row is not None]:
        found.remove(session, old)
    listed = [app for app in apps if app.state is AppState.LISTED]
    others: dict[UUID, list[ListingText]] = {}
    for text in session.exec(
        select(ListingText).where(col(ListingText.app_id).in_([app.id for app in listed]))
    ).all():
        others.setdefault(text.app_id, []).append(text)
    for app in apps:
        is_listed = app.state is AppState.LISTED
        app.search_row = row_for(app.score, secrets.randbits(ROW_BITS)) if is_listed else None
    if listed:
        found.put(session, [document(app, others.get(app.id, ())) for app in listed])


def document(app: App, others: Sequence[ListingText]) -> Document:
    """An app as the index keeps it; `others` are its texts in further languages."""
    assert app.search_row is not None
    names = [app.name, *(other.name for other in others)]
    summaries = [app.summary, *(other.summary for other in others)]
    name = matching.forms(" ".join([*names, app.ident]))
    summary = matching.forms(" ".join(summaries))
    body = [app.category, app.description, *(other.description for other in others)]
    return Document(
        row=app.search_row,
        keys=sorted({key for key in map(matching.name_key, names) if key}),
        name=name,
        summary=summary,
        body=matching.forms(" ".join(body)),
        facets=facets_of(app),
        parts={part for word in (*name, *summary) for part in matching.parts(word)},
    )


def facets_of(app: App) -> list[str]:
    """What a listed app can be filtered by."""
    facets = [facet("category", app.category), facet("price", "paid" if app.price else "free")]
    if is_well_rated(app):
        facets.append(facet("rated", "well"))
    return facets


def is_well_rated(app: App) -> bool:
    """Whether people have rated it, and highly."""
    return app.rating_count > 0 and app.rating_score >= WELL_RATED


def facet(kind: str, value: str) -> str:
    """The token of one filter; no word that people type has a low line."""
    return f"_{kind}_{''.join(c for c in value if c.isalnum())}"


def find(
    session: Session,
    query: str,
    *,
    facets: Sequence[str] = (),
    near: Mapping[int, float] = NOTHING_NEAR,
) -> Found:
    """The listed apps that fit, best first: two statements at most, however many apps there are.

    Args:
        near: row → closeness of the apps that fit by their meaning, which have these facets.
    """
    found = _by_words(session, query, facets)
    if not near:
        return found
    hits = {hit.row: hit for hit in found.hits}
    for row, closeness in near.items():
        hit = hits.get(row, Hit(0.0, row, weight=0))
        hits[row] = _scored(hit._replace(closeness=closeness))
    return replace(found, hits=_ordered(hits))


def _by_words(session: Session, query: str, facets: Sequence[str]) -> Found:
    typed = list(dict.fromkeys(matching.words(query[:LONGEST_QUERY])))[:MOST_WORDS]
    if not typed:
        return Found([])
    found = index_of(session.connection())
    answer = found.ask(
        session,
        Question(
            key=matching.name_key(query[:LONGEST_QUERY]),
            words=[_beginnings(word) for word in typed],
            facets=facets,
            variants=frozenset().union(
                *(matching.variants(word) for word in typed if matching.slips_allowed(word))
            ),
        ),
    )
    hits = _hits(answer)
    if len(hits) >= FEW:
        return Found(_ordered(hits), is_cut=_is_cut(answer))
    second, meant = _second_question(typed, answer, is_nothing=not hits)
    if second is None:
        return Found(_ordered(hits), is_cut=_is_cut(answer))
    again = found.ask(session, replace(second, facets=facets))
    for row, hit in _hits(again, is_loose=True).items():
        hits.setdefault(row, hit)
    return Found(_ordered(hits), is_cut=_is_cut(again), meant=meant)


def _second_question(
    typed: Sequence[str], answer: Answer, *, is_nothing: bool
) -> tuple[Question | None, str]:
    """What to ask when little fits, and how it reads: slips mended, else any of the words."""
    alike = {
        word: matching.nearest(word, answer.parts, most=MOST_ALIKE)
        for word in typed
        # What some app has was typed as it was meant.
        if word not in answer.parts
    }
    if any(alike.values()):
        words = [[*_beginnings(word), *alike.get(word, ())] for word in typed]
        meant = " ".join(next(iter(alike.get(word, ())), word) for word in typed)
        return Question(key="", words=words), meant
    telling = [word for word in typed if len(word) >= SHORTEST_TELLING]
    if is_nothing and len(typed) > 1 and telling:
        anyone = [beginning for word in telling for beginning in _beginnings(word)]
        return Question(key="", words=[anyone]), ""
    return None, ""


def _beginnings(word: str) -> list[str]:
    return list(dict.fromkeys([word, matching.without_article(word)]))


def _hits(answer: Answer, *, is_loose: bool = False) -> dict[int, Hit]:
    best: dict[int, int] = {}
    for weight, row in answer.hits:
        if weight > best.get(row, 0):
            best[row] = weight
    return {row: _scored(Hit(0.0, row, weight, is_loose)) for row, weight in best.items()}


def _scored(hit: Hit) -> Hit:
    words = hit.weight * (LOOSE if hit.is_loose else 1.0)
    return hit._replace(score=ranking.blended(words, hit.closeness, prior_of(hit.row)))


def _is_cut(answer: Answer) -> bool:
    return sum(weight == Tier.TEXT for weight, _row in answer.hits) == MOST_HITS


def _ordered(hits: Mapping[int, Hit]) -> list[Hit]:
    return sorted(hits.values(), key=lambda hit: (-hit.score, hit.row))
