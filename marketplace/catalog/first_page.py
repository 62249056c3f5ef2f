"""What the first page shows: its rows are found by few statements and drawn from one."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import literal, union_all
from sqlmodel import Session, select

from marketplace.catalog import categories, own_rows, queries, queries_collections, shelves
from marketplace.catalog.models import App, AppState, ListingText
from marketplace.catalog.own_rows import Lead, Own
from marketplace.catalog.pages import Home, OwnRow, Tile
from marketplace.catalog.shelves import ORDERS
from marketplace.kernel.ids import AccountId, AppId

ROW = 6
# Fewer people than this do not make an app one of the best.
FEWEST_RATINGS = 3
# A row that follows what somebody ran is not worth its title with fewer apps.
FEWEST_OWN = 2


def home(session: Session, *, locale: str, today: date, person_id: AccountId | None = None) -> Home:
    """The first page.

    Args:
        person_id: whose own runs it may follow, or None for nobody's.
    """
    own = own_rows.of(session, person_id, today=today) if person_id else Own()
    rows, bound = _rows(session), queries_collections.shown(session)
    wanted = {
        *(app_id for row in rows.values() for app_id in row),
        *(app_id for each in bound for app_id in each.app_ids),
        *(candidate.app_id for lead in own.leads for candidate in lead.candidates),
        *(lead.app_id for lead in own.leads),
        *own.recent[:ROW],
    }
    found = session.exec(queries.those(wanted)).all()
    listed = {app.id: (app, owner) for app, owner in found if app.state is AppState.LISTED}
    shelf = _Drawn(listed, queries.texts(session, listed, locale=locale))
    hero, *others = [*bound, None] if bound and bound[0].collection.is_hero else [None, *bound]
    return Home(
        **{name: shelf.tiles(app_ids) for name, app_ids in rows.items()},
        categories=categories.links(shelves.counts(session)),
        again=shelf.tiles(own.recent[:ROW]),
        own=_own(own.leads, shelf),
        hero=queries_collections.card(hero, shelf.tiles(hero.app_ids), locale) if hero else None,
        collections=[
            queries_collections.card(each, shelf.tiles(each.app_ids), locale)
            for each in others
            if each
        ],
    )


def _rows(session: Session) -> Mapping[str, Sequence[AppId]]:
    """The apps of the rows that are the same for everybody, by row, in one statement."""
    listed = select(App.id).where(App.state == AppState.LISTED)
    rows = {
        "used": listed.order_by(ORDERS["used"], App.ident),
        "trending": listed.where(App.trend > 0).order_by(ORDERS["trending"]),
        "new": listed.order_by(ORDERS["new"]),
        "loved": listed.where(App.rating_count >= FEWEST_RATINGS).order_by(ORDERS["rated"]),
    }
    parts = [
        select(literal(name).label("name"), found.c.id)
        for name, row in rows.items()
        for found in [row.limit(ROW).subquery()]
    ]
    placed: dict[str, list[AppId]] = {name: [] for name in rows}
    for name, app_id in session.execute(union_all(*parts)):
        placed[name].append(app_id)
    return placed


class _Drawn:
    """Tiles of listed apps, each made when it is asked for."""

    def __init__(
        self, apps: Mapping[AppId, tuple[App, str]], texts: Mapping[UUID, ListingText]
    ) -> None:
        self.apps = {app_id: app for app_id, (app, _owner) in apps.items()}
        self._owners = {app_id: owner for app_id, (_app, owner) in apps.items()}
        self._texts = texts

    def name(self, app_id: AppId) -> str:
        """What an app is called in the reader's language."""
        text = self._texts.get(app_id)
        return text.name if text else self.apps[app_id].name

    def tiles(self, app_ids: Sequence[AppId]) -> list[Tile]:
        """Those of these apps that are listed."""
        return [
            queries.tile(self.apps[app_id], self._owners[app_id], self._texts.get(app_id))
            for app_id in app_ids
            if app_id in self.apps
        ]


def _own(leads: Sequence[Lead], shelf: _Drawn) -> list[OwnRow]:
    rows: list[OwnRow] = []
    placed: set[AppId] = set()
    for lead in leads:
        fitting = [app_id for app_id in own_rows.ranked(lead, shelf.apps) if app_id not in placed]
        if len(fitting) < FEWEST_OWN or lead.app_id not in shelf.apps:
            continue
        placed.update(fitting[:ROW])
        rows.append(OwnRow(shelf.name(lead.app_id), shelf.tiles(fitting[:ROW])))
    return rows
