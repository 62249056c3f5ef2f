"""Advertising's work for later."""

from collections.abc import Mapping

from marketplace.ads import service
from marketplace.infra.jobs import Handler, JobContext


def _void_expired(context: JobContext) -> None:
    is_full = True
    while is_full:
        with context.database.writing() as session:
            is_full = service.void_expired(session, now=context.now) == service.BATCH


def _forget_frequencies(context: JobContext) -> None:
    with context.database.writing() as session:
        service.forget_frequencies(session, now=context.now)


def handlers() -> Mapping[str, Handler]:
    """Job name → what does it."""
    return {"ads.void_expired": _void_expired, "ads.forget_frequencies": _forget_frequencies}


def schedules() -> Mapping[str, float]:
    """Job name → seconds between two runs."""
    return {"ads.void_expired": 60.0, "ads.forget_frequencies": 3600.0}
