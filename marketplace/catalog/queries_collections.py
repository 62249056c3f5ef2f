"""Reads of collections: on the first page, on their own pages, and for their editors."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import func
from sqlmodel import Session, col, select

from marketplace.catalog import queries
from marketplace.catalog.models import App, AppState, Collection, CollectionEntry
from marketplace.catalog.pages import CollectionCard, CollectionRow, Tile
from marketplace.kernel.errors import NotFound
from marketplace.kernel.ids import AppId, CollectionId
from marketplace.web.i18n import SOURCE_LOCALE
from marketplace.web.i18n import gettext as _

# A card shows no more of a collection than this; its own page shows all of it.
ON_A_CARD = 4
MOST_SHOWN = 60
ON_THE_FIRST_PAGE = 4


class NoSuchCollection(NotFound):
    """The store shows no collection of this key."""


@dataclass(frozen=True)
class Bound:
    """A collection and its apps in their order."""

    collection: Collection
    app_ids: list[AppId] = field(default_factory=list)


def text(collection: Collection, locale: str) -> dict[str, str]:
    """Its title and lead in one language, each in English where it is not translated."""
    english = collection.texts[SOURCE_LOCALE]
    given = collection.texts.get(locale, {})
    return {key: given.get(key) or english.get(key, "") for key in ("title", "lead")}


def card(bound: Bound, tiles: Sequence[Tile], locale: str) -> CollectionCard:
    """A collection as pages show it."""
    words = text(bound.collection, locale)
    return CollectionCard(bound.collection.key, words["title"], words["lead"], tiles)


def shown(session: Session, *, most: int = ON_THE_FIRST_PAGE) -> list[Bound]:
    """The first collections that are shown, the hero before all others, in one statement."""
    chosen = (
        select(Collection.id)
        .where(Collection.is_shown)
        .order_by(col(Collection.is_hero).desc(), col(Collection.position), col(Collection.key))
        .limit(most)
    )
    rows = session.exec(
        select(Collection, CollectionEntry.app_id)
        .join(CollectionEntry, col(CollectionEntry.collection_id) == col(Collection.id))
        .join(App, col(App.id) == col(CollectionEntry.app_id))
        .where(
            col(Collection.id).in_(chosen),
            App.state == AppState.LISTED,
        )
        .order_by(
            col(Collection.is_hero).desc(),
            col(Collection.position),
            col(Collection.key),
            col(CollectionEntry.position),
        )
    ).all()
    bound: dict[CollectionId, Bound] = {}
    for collection, app_id in rows:
        found = bound.setdefault(collection.id, Bound(collection))
        if len(found.app_ids) < ON_A_CARD:
            found.app_ids.append(AppId(app_id))
    return list(bound.values())


def cards(session: Session, *, locale: str) -> list[CollectionCard]:
    """Every collection that is shown and has a listed app."""
    bound = shown(session, most=MOST_SHOWN)
    wanted = queries.those({app_id for each in bound for app_id in each.app_ids})
    found = session.exec(wanted).all()
    tiles = dict(
        zip(
            [app.id for app, _owner in found],
            queries.tiles(session, found, locale=locale),
            strict=True,
        )
    )
    return [card(each, [tiles[app_id] for app_id in each.app_ids], locale) for each in bound]


def page(session: Session, key: str, *, locale: str) -> CollectionCard:
    """One collection with all its listed apps. Raises: NoSuchCollection."""
    collection = session.exec(
        select(Collection).where(Collection.key == key, Collection.is_shown)
    ).first()
    if collection is None:
        raise NoSuchCollection(_("There is no collection “%(key)s”.", key=key))
    wanted = (
        queries.offered()
        .join(CollectionEntry, col(CollectionEntry.app_id) == col(App.id))
        .where(CollectionEntry.collection_id == collection.id)
        .order_by(col(CollectionEntry.position))
    )
    return card(Bound(collection), queries.listed(session, wanted, locale=locale), locale)


def rows(session: Session, *, locale: str) -> list[CollectionRow]:
    """Every collection in its order, for those who edit them."""
    count = (
        select(func.count()).where(CollectionEntry.collection_id == Collection.id).scalar_subquery()
    )
    found = session.exec(
        select(Collection, count).order_by(col(Collection.position), col(Collection.key))
    ).all()
    return [
        CollectionRow(
            each.id, each.key, text(each, locale)["title"], each.is_hero, each.is_shown, number
        )
        for each, number in found
    ]


def by_id(session: Session, collection_id: CollectionId) -> Collection:
    """One collection, shown or not. Raises: NoSuchCollection."""
    found = session.get(Collection, collection_id)
    if found is None:
        raise NoSuchCollection(_("There is no such collection. Somebody may have deleted it."))
    return found


def idents(session: Session, collection_id: CollectionId) -> list[str]:
    """The apps of a collection in their order, listed or not."""
    return list(
        session.exec(
            select(App.ident)
            .join(CollectionEntry, col(CollectionEntry.app_id) == col(App.id))
            .where(CollectionEntry.collection_id == collection_id)
            .order_by(col(CollectionEntry.position))
        ).all()
    )
