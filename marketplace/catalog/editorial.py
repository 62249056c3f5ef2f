"""Changes of collections: what operators write, choose and put in order."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, update
from sqlmodel import Session, col, delete, select

from marketplace.catalog.models import App, AppState, Collection, CollectionEntry
from marketplace.catalog.queries_collections import by_id
from marketplace.kernel.errors import Invalid
from marketplace.kernel.ids import CollectionId
from marketplace.web.i18n import SOURCE_LOCALE
from marketplace.web.i18n import gettext as _

LONGEST_KEY = 48
MOST_APPS = 50
# An app may be given by its id or by the address of its page.
ADDRESS = re.compile(r"^(?:https?://[^/\s]+)?/apps/([^/?#\s]+).*$")


class BadApps(Invalid):
    """The apps of a collection are not all in the store, or too many or none."""


@dataclass(frozen=True)
class Draft:
    """A collection as it was written.

    Args:
        texts: `title` and `lead` by locale; English has a title.
        apps: ids or addresses of apps, in their order.
    """

    texts: Mapping[str, Mapping[str, str]]
    apps: Sequence[str]
    is_hero: bool = False
    is_shown: bool = True


def make(session: Session, draft: Draft, *, now: datetime, key: str = "") -> Collection:
    """A new collection, after all others.

    Args:
        key: what its address ends with; made of the English title unless it is given.
    Raises: BadApps.
    """
    last = session.exec(select(func.max(Collection.position))).one()
    collection = Collection(
        key=key or _free_key(session, draft.texts[SOURCE_LOCALE]["title"]),
        position=(last or 0) + 1,
        changed_at=now,
    )
    apps = _apps(session, draft.apps)
    session.add(collection)
    _write(session, collection, draft, apps, now=now)
    return collection


def save(session: Session, collection_id: CollectionId, draft: Draft, *, now: datetime) -> None:
    """Change a collection; its address stays. Raises: NoSuchCollection, BadApps."""
    collection = by_id(session, collection_id)
    _write(session, collection, draft, _apps(session, draft.apps), now=now)


def remove(session: Session, collection_id: CollectionId) -> None:
    """Delete a collection; its apps stay as they are. Raises: NoSuchCollection."""
    collection = by_id(session, collection_id)
    _empty(session, collection)
    session.delete(collection)


def move_up(session: Session, collection_id: CollectionId) -> None:
    """Let a collection change places with the one before it. Raises: NoSuchCollection."""
    moved = by_id(session, collection_id)
    order = list(
        session.exec(
            select(Collection).order_by(col(Collection.position), col(Collection.key))
        ).all()
    )
    place = order.index(moved)
    order.insert(max(0, place - 1), order.pop(place))
    for position, collection in enumerate(order, 1):
        collection.position = position


def open_with(session: Session, file: Path, *, now: datetime) -> None:
    """Make the collections that a file describes, but for those whose key is taken.

    Apps that are not in the store are left out, and a collection that none is left of.

    Args:
        file: TOML with [[collection]] tables: key, apps, is_hero, and title and lead by locale.
    """
    taken = set(session.exec(select(Collection.key)).all())
    for section in tomllib.loads(file.read_text())["collection"]:
        here = session.exec(select(App.ident).where(col(App.ident).in_(section["apps"]))).all()
        if section["key"] in taken or not here:
            continue
        draft = Draft(
            texts=section["texts"],
            apps=[ident for ident in section["apps"] if ident in here],
            is_hero=section.get("is_hero", False),
        )
        make(session, draft, now=now, key=section["key"])


def _free_key(session: Session, title: str) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:LONGEST_KEY] or "collection"
    taken = set(session.exec(select(Collection.key)).all())
    number = 1
    key = stem
    while key in taken:
        number += 1
        key = f"{stem}-{number}"
    return key


def _apps(session: Session, given: Sequence[str]) -> list[App]:
    """The apps that were given, in their order. Raises: BadApps."""
    wanted = list(dict.fromkeys(ADDRESS.sub(r"\1", line) for line in given))
    if not wanted:
        raise _bad(_("Give at least one app."))
    if len(wanted) > MOST_APPS:
        raise _bad(
            _("Give at most %(n)s apps; this has %(given)s.", n=MOST_APPS, given=len(wanted))
        )
    found = session.exec(
        select(App).where(col(App.ident).in_(wanted), App.state != AppState.BLOCKED)
    ).all()
    by_ident = {app.ident: app for app in found}
    if missing := [ident for ident in wanted if ident not in by_ident]:
        names = ", ".join(f"“{ident}”" for ident in missing)
        raise _bad(_("There is no app %(names)s. Copy the address of its page.", names=names))
    return [by_ident[ident] for ident in wanted]


def _bad(sentence: str) -> BadApps:
    return BadApps(sentence, fields={"apps": sentence})


def _empty(session: Session, collection: Collection) -> None:
    session.exec(delete(CollectionEntry).where(col(CollectionEntry.collection_id) == collection.id))


def _write(
    session: Session, collection: Collection, draft: Draft, apps: Sequence[App], *, now: datetime
) -> None:
    if draft.is_hero:
        session.exec(update(Collection).values(is_hero=False))
    collection.texts = {locale: dict(words) for locale, words in draft.texts.items()}
    collection.is_hero, collection.is_shown = draft.is_hero, draft.is_shown
    collection.changed_at = now
    session.flush()  # entries point at the collection, which must be there first
    _empty(session, collection)
    session.add_all(
        CollectionEntry(collection_id=collection.id, app_id=app.id, position=position)
        for position, app in enumerate(apps)
    )
