"""Reads of what a person has: the apps they ran or bought."""

from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from marketplace.billing import queries as billing
from marketplace.catalog import queries as catalog
from marketplace.catalog.models import AppState
from marketplace.kernel.ids import AccountId, AppId
from marketplace.kernel.paging import Page
from marketplace.runs.models import Run
from marketplace.runs.pages import MyApp

APPS_A_PAGE = 24


def of(session: Session, person_id: AccountId, *, number: int, locale: str) -> Page[MyApp]:
    """One page of the listed apps a person ran or bought, the latest first."""
    ran = _ran(session, person_id)
    bought = billing.bought(session, person_id)
    found = {
        app.id: (app, developer)
        for app, developer in session.exec(catalog.those({*ran, *bought})).all()
        if app.state is AppState.LISTED
    }
    latest = sorted(
        found, key=lambda key: max(at[key] for at in (ran, bought) if key in at), reverse=True
    )
    first = (number - 1) * APPS_A_PAGE
    shown = latest[first : first + APPS_A_PAGE]
    tiles = catalog.tiles(session, [found[app_id] for app_id in shown], locale=locale)
    rows = [
        MyApp(tile, ran.get(app_id), bought.get(app_id))
        for app_id, tile in zip(shown, tiles, strict=True)
    ]
    return Page(rows, number, APPS_A_PAGE, len(latest))


def _ran(session: Session, person_id: AccountId) -> dict[AppId, datetime]:
    """When a person last ran each of their apps."""
    found = session.exec(
        select(Run.app_id, func.max(Run.created_at))
        .where(Run.person_id == person_id)
        .group_by(col(Run.app_id))
    ).all()
    return {AppId(app_id): ran_at for app_id, ran_at in found}
