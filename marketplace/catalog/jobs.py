"""The storefront's work for later."""

from collections.abc import Mapping
from datetime import timedelta

from marketplace.catalog import meanings, standings
from marketplace.inference.ports import Inference
from marketplace.infra.jobs import Handler, JobContext
from marketplace.kernel.clock import utc_now

REFRESH_S = 600.0
SWEEP_S = 300.0


def _refresh_standings(context: JobContext) -> None:
    standings.refresh_all(context.database, before=context.now.date() + timedelta(days=1))


def handlers(inference: Inference) -> Mapping[str, Handler]:
    """Job name → what does it.

    Args:
        inference: makes the vectors of what apps mean.
    """

    def make_meanings(context: JobContext) -> None:
        if meanings.make(context.database, inference, now=utc_now()):
            with context.database.writing() as session:
                meanings.make_soon(session)

    return {"catalog.refresh_standings": _refresh_standings, meanings.MAKE: make_meanings}


def schedules() -> Mapping[str, float]:
    """Job name → seconds between two runs."""
    return {"catalog.refresh_standings": REFRESH_S, meanings.MAKE: SWEEP_S}
