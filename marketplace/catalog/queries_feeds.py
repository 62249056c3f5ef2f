"""Reads for programs: every address of the store, and its newest apps."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func
from sqlmodel import Session, col, select

from marketplace.catalog import queries
from marketplace.catalog.forms import UNSEEN
from marketplace.catalog.models import App, AppState
from marketplace.catalog.shelves import ORDERS

# https://www.sitemaps.org/protocol.html allows 50,000 addresses a file.
APPS_A_FILE = 10_000
NEW_SHOWN = 30
# XML 1.0 cannot hold these, however they are written.
NOT_IN_XML = dict.fromkeys({*UNSEEN, 0xFFFE, 0xFFFF})


class NewApp(NamedTuple):
    """One entry of the feed."""

    ident: str
    name: str
    summary: str
    developer: str
    published_at: datetime


def files(session: Session) -> int:
    """How many files of addresses there are."""
    count = session.exec(
        select(func.count()).select_from(App).where(App.state == AppState.LISTED)
    ).one()
    return max(1, -(-count // APPS_A_FILE))


def idents(session: Session, number: int) -> Sequence[str]:
    """The apps of one file of addresses; `number` counts from 1."""
    return session.exec(
        select(App.ident)
        .where(App.state == AppState.LISTED)
        .order_by(col(App.id))
        .offset((number - 1) * APPS_A_FILE)
        .limit(APPS_A_FILE)
    ).all()


def newest(session: Session, *, locale: str) -> list[NewApp]:
    """The newest apps, with nothing in their texts that a feed cannot hold."""
    found = session.exec(
        queries.offered().order_by(ORDERS["new"], App.ident).limit(NEW_SHOWN)
    ).all()
    texts = queries.texts(session, [app.id for app, _developer in found], locale=locale)
    return [
        NewApp(
            app.ident,
            (texts[app.id].name if app.id in texts else app.name).translate(NOT_IN_XML),
            (texts[app.id].summary if app.id in texts else app.summary).translate(NOT_IN_XML),
            developer.translate(NOT_IN_XML),
            app.published_at or app.created_at,
        )
        for app, developer in found
    ]
