"""Billing's work for later."""

from collections.abc import Mapping
from uuid import UUID

from marketplace.billing import service
from marketplace.billing.till import Till
from marketplace.infra.jobs import Handler, JobContext


def _handle_event(context: JobContext) -> None:
    with context.database.writing() as session:
        service.handle(session, UUID(context.payload["event_id"]), Till(), now=context.now)


def handlers() -> Mapping[str, Handler]:
    """Job name → what does it."""
    return {"billing.handle_event": _handle_event}
