"""The storefront's work for later."""

from collections.abc import Mapping
from datetime import timedelta

from marketplace.catalog import standings
from marketplace.infra.jobs import Handler, JobContext

REFRESH_S = 600.0


def _refresh_standings(context: JobContext) -> None:
    standings.refresh_all(context.database, before=context.now.date() + timedelta(days=1))


def handlers() -> Mapping[str, Handler]:
    """Job name → what does it."""
    return {"catalog.refresh_standings": _refresh_standings}


def schedules() -> Mapping[str, float]:
    """Job name → seconds between two runs."""
    return {"catalog.refresh_standings": REFRESH_S}
