"""The storefront's work for later."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from marketplace.catalog import standings
from marketplace.infra.jobs import Handler, JobContext

REFRESH_S = 600.0


def _refresh_standings(context: JobContext) -> None:
    with context.database.reading() as session:
        average = standings.store_average(session)
    tomorrow = context.now.date() + timedelta(days=1)
    after: UUID | None = standings.FIRST
    while after is not None:
        with context.database.writing() as session:
            after = standings.refresh(session, after=after, average=average, before=tomorrow)


def handlers() -> Mapping[str, Handler]:
    """Job name → what does it."""
    return {"catalog.refresh_standings": _refresh_standings}


def schedules() -> Mapping[str, float]:
    """Job name → seconds between two runs."""
    return {"catalog.refresh_standings": REFRESH_S}
