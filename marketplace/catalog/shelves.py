"""Reads of lists: the shelves, and what a search finds."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, UnaryExpression, func
from sqlmodel import Session, col, select

from marketplace.catalog import categories, queries, search
from marketplace.catalog.models import App, AppState
from marketplace.catalog.pages import Filters, Shelf, Tile
from marketplace.catalog.search import WELL_RATED, Hit
from marketplace.catalog.search_index import Tier
from marketplace.kernel.errors import NotFound
from marketplace.kernel.ids import AppId
from marketplace.kernel.paging import Page
from marketplace.kernel.words import noted
from marketplace.web.i18n import format_number, format_rating, ngettext
from marketplace.web.i18n import gettext as _

TILES_A_PAGE = 24
SUGGESTED = 6
LAST_PAGE = 400
ORDERS: Mapping[str, UnaryExpression[Any]] = {
    "used": col(App.score).desc(),
    "rated": col(App.rating_score).desc(),
    "new": col(App.published_at).desc(),
    "trending": col(App.trend).desc(),
}
NOTHING_NEAR: Mapping[AppId, float] = MappingProxyType({})
WHERE_FOUND = {
    Tier.NAME_ITSELF: noted("This is its name"),
    Tier.NAME: noted("Your words are in its name"),
    Tier.SUMMARY: noted("Your words are in its summary"),
    Tier.TEXT: noted("Your words are in its description"),
}


class NoSuchShelf(NotFound):
    """The store has no category of this key."""


def counts(session: Session) -> dict[str, int]:
    """Category → how many listed apps."""
    return dict(
        session.exec(
            select(App.category, func.count())
            .where(App.state == AppState.LISTED)
            .group_by(App.category)
        ).all()
    )


def shelf(session: Session, filters: Filters, *, number: int, locale: str) -> Shelf:
    """One category or every app, most used first unless it is asked otherwise.

    Raises: NoSuchShelf.
    """
    if filters.category and filters.category not in categories.TABLE:
        raise NoSuchShelf(_("There is no category “%(key)s”.", key=filters.category))
    on_shelves = counts(session)
    conditions = _conditions(filters)
    apps = (
        queries.offered()
        .where(*conditions)
        .order_by(ORDERS.get(filters.sort, ORDERS["used"]), App.ident)
        .offset((number - 1) * TILES_A_PAGE)
        .limit(TILES_A_PAGE)
    )
    total = _total(session, filters, on_shelves)
    return Shelf(
        title=categories.name(filters.category) if filters.category else _("All apps"),
        query="",
        tiles=Page(queries.listed(session, apps, locale=locale), number, TILES_A_PAGE, total),
        categories=categories.links(on_shelves),
        filters=filters,
    )


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions = []
    if filters.category:
        conditions.append(col(App.category) == filters.category)
    if filters.price:
        is_free = col(App.price_micros).is_(None)
        conditions.append(is_free if filters.price == "free" else ~is_free)
    if filters.rated:
        conditions += [col(App.rating_count) > 0, col(App.rating_score) >= WELL_RATED]
    return conditions


def _total(session: Session, filters: Filters, on_shelves: Mapping[str, int]) -> int:
    if filters.price or filters.rated:
        counted = select(func.count()).select_from(App).where(App.state == AppState.LISTED)
        return session.exec(counted.where(*_conditions(filters))).one()
    if filters.category:
        return on_shelves.get(filters.category, 0)
    return sum(on_shelves.values())


def found(
    session: Session,
    query: str,
    filters: Filters,
    *,
    number: int,
    locale: str,
    near: Mapping[AppId, float] = NOTHING_NEAR,
) -> Shelf:
    """The results of a search, the best first unless it is asked otherwise.

    Args:
        near: how near the query is to apps in meaning, where it is.

    Raises: NoSuchShelf.
    """
    if filters.category and filters.category not in categories.TABLE:
        raise NoSuchShelf(_("There is no category “%(key)s”.", key=filters.category))
    near_rows = _near_rows(session, near, filters)
    result = search.find(session, query, facets=_facets(filters), near=near_rows)
    first = (number - 1) * TILES_A_PAGE
    if filters.sort in ORDERS:
        rows = [hit.row for hit in result.hits]
        apps = (
            queries.filed(rows, locale=locale)
            .order_by(ORDERS[filters.sort], App.ident)
            .offset(first)
            .limit(TILES_A_PAGE)
        )
        tiles = [
            queries.tile(app, owner, text)
            for app, owner, text in session.exec(apps).all()
            # What was taken down a moment ago may still be filed.
            if app.state is AppState.LISTED
        ]
    else:
        tiles = _ranked(session, result.hits[first : first + TILES_A_PAGE], locale=locale)
    return Shelf(
        title=_("Search"),
        query=query,
        tiles=Page(tiles, number, TILES_A_PAGE, len(result.hits)),
        categories=[categories.link(key) for key in categories.TABLE],
        filters=filters,
        is_cut=result.is_cut,
        meant=result.meant,
    )


def _near_rows(session: Session, near: Mapping[AppId, float], filters: Filters) -> dict[int, float]:
    """What search files the near ones under that are listed and not filtered away."""
    if not near:
        return {}
    filed = session.exec(
        select(App.search_row, App.id).where(
            col(App.id).in_(near),
            App.state == AppState.LISTED,
            *_conditions(filters),
        )
    ).all()
    return {row: near[AppId(app_id)] for row, app_id in filed if row is not None}


def suggested(session: Session, query: str, *, locale: str) -> list[Tile]:
    """The best few results of a search, while its words are still being typed."""
    return _ranked(session, search.find(session, query).hits[:SUGGESTED], locale=locale)


def _facets(filters: Filters) -> list[str]:
    wanted = {
        "category": filters.category,
        "price": filters.price,
        "rated": "well" if filters.rated else "",
    }
    return [search.facet(kind, value) for kind, value in wanted.items() if value]


def _ranked(session: Session, hits: Sequence[Hit], *, locale: str) -> list[Tile]:
    """These hits in their order, each with the reasons for its place."""
    apps = session.exec(queries.filed([hit.row for hit in hits], locale=locale)).all()
    by_row = {found[0].search_row: found for found in apps if found[0].state is AppState.LISTED}
    there = [hit for hit in hits if hit.row in by_row]
    return [
        queries.tile(app, owner, text, why=_why(hit, app))
        for hit in there
        for app, owner, text in [by_row[hit.row]]
    ]


def _why(hit: Hit, app: App) -> str:
    """What put this app where it stands, the weightiest first."""
    reasons = [_why_found(hit)]
    if hit.weight and hit.closeness:
        reasons.append(_("also close in meaning"))
    if app.people_count:
        count = app.people_count
        reasons.append(
            ngettext("%(n)s person uses it", "%(n)s people use it", count, n=format_number(count))
        )
    if app.rating_count:
        average = app.rating_total / app.rating_count
        reasons.append(_("rated %(stars)s", stars=format_rating(average)))
    return " · ".join(reasons)


def _why_found(hit: Hit) -> str:
    if not hit.weight:
        return _("Close in meaning to what you typed")
    return _("Nearly what you typed") if hit.is_loose else _(WHERE_FOUND[Tier(hit.weight)])
