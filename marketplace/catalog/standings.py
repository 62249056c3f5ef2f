"""Keeps what lists are ordered by in step with who used and rated what."""

from collections.abc import Mapping
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from marketplace.catalog import ranking, search
from marketplace.catalog.models import App, AppState, Use
from marketplace.catalog.ranking import BASELINE_DAYS, RECENT_DAYS
from marketplace.catalog.search_index import ROW_BITS, row_for
from marketplace.infra.db import Database

BATCH = 1000
FIRST = UUID(int=0)


def store_average(session: Session) -> float:
    """The average of every rating in the store, or the middle where there is none."""
    total, count = session.exec(
        select(func.sum(App.rating_total), func.sum(App.rating_count)).where(
            App.state == AppState.LISTED, App.rating_count > 0
        )
    ).one()
    return total / count if count else ranking.MIDDLE


def refresh(session: Session, *, after: UUID, average: float, before: date) -> UUID | None:
    """Bring the standing of the next thousand listed apps up to date.

    Args:
        after: the last app of the batch before, or FIRST.
        average: the store's average rating.
        before: the first day (UTC) that does not count yet.
    Returns: the last app of this batch, or None when there are no more.
    Effects: apps whose place in search has changed are filed anew.
    """
    apps = session.exec(
        select(App)
        .where(App.state == AppState.LISTED, col(App.id) > after)
        .order_by(col(App.id))
        .limit(BATCH)
    ).all()
    if not apps:
        return None
    start = before - timedelta(days=RECENT_DAYS)
    recent = _people(session, apps[0].id, apps[-1].id, since=start, until=before)
    earlier = start - timedelta(days=BASELINE_DAYS)
    baseline = _people(session, apps[0].id, apps[-1].id, since=earlier, until=start)
    moved = []
    for app in apps:
        was_well_rated = search.is_well_rated(app)
        settle(app, average=average)
        app.trend = ranking.trend(recent.get(app.id, 0), baseline.get(app.id, 0))
        if _has_moved(app) or search.is_well_rated(app) != was_well_rated:
            moved.append(app)
    if moved:
        search.index(session, *moved)
    return apps[-1].id


def refresh_all(database: Database, *, before: date) -> None:
    """Bring the standing of every listed app up to date, a batch a transaction.

    Args:
        before: the first day (UTC) that does not count yet.
    """
    with database.reading() as session:
        average = store_average(session)
    after: UUID | None = FIRST
    while after is not None:
        with database.writing() as session:
            after = refresh(session, after=after, average=average, before=before)


def settle(app: App, *, average: float) -> None:
    """Work out an app's rating and its weight from its counts."""
    app.rating_score = ranking.rating_average(
        app.rating_total, app.rating_count, store_average=average
    )
    app.score = ranking.prior(app.people_count, app.rating_score)


def _has_moved(app: App) -> bool:
    filed = app.search_row
    return filed is None or filed >> ROW_BITS != row_for(app.score, 0) >> ROW_BITS


def _people(
    session: Session, first: UUID, last: UUID, *, since: date, until: date
) -> Mapping[UUID, int]:
    """App → how many people used it on the days from `since` to the one before `until`."""
    return dict(
        session.exec(
            select(Use.app_id, func.count(func.distinct(Use.person_id)))
            .where(
                col(Use.app_id).between(first, last),
                col(Use.day) >= since,
                col(Use.day) < until,
            )
            .group_by(col(Use.app_id))
        ).all()
    )
