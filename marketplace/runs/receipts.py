"""What a run's row holds when the run has ended: how, what it used, and what that is charged to."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from caravan import withheld
from sqlmodel import Session

from marketplace.ads import service as ads
from marketplace.catalog import service as catalog
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId, AppId, RunId
from marketplace.runs import budgets, metering
from marketplace.runs.host_calls import Desk
from marketplace.runs.keepable import mended
from marketplace.runs.models import Run, RunState
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.budgets import Amounts
from marketplace.sandbox.ports import Outcome


def parties(run: Run, settings: RunSettings) -> tuple[budgets.Party, budgets.Party]:
    """Whom the use of a run is charged to."""
    return budgets.parties(AccountId(run.person_id), AppId(run.app_id), settings)


def write(
    session: Session,
    run_id: RunId,
    outcome: Outcome,
    desk: Desk,
    settings: RunSettings,
    *,
    secrets: Collection[str],
    was_stopped: bool,
) -> Run:
    """End the run's row.

    Args:
        secrets: texts that no message for a developer may hold.
    Effects: budgets, counters of the app, metered use; an advertisement of a failed run is void.
    """
    run = session.get_one(Run, run_id, with_for_update=True)
    now = utc_now()
    # An app whose answer was cut short may still come to an end of its own, good or bad.
    target = RunState.STOPPED if was_stopped else RunState(outcome.kind.value)
    run.move_to(target, now=now)
    run.output = desk.items
    for name, value in _receipt(outcome, desk).items():
        setattr(run, name, value)
    charge(session, run_id, outcome, desk, settings)
    if target is RunState.FAILED:
        run.error_rule, message = _reason(outcome, desk)
        run.error_message = withheld.without(secrets, message)
        # The app's developer reads it.
        detail = mended(outcome.error.traceback) if outcome.error else None
        run.error_detail = withheld.without(secrets, detail)
        run.price_micros = 0
        ads.void_for_run(session, run_id, now=now)
    if target is not RunState.FAILED:
        metering.keep(session, run, desk.meter.counted, now=now)
    if target is RunState.FINISHED:
        catalog.count_run(session, run.app_id, run.person_id, now=now)
    return run


def charge(
    session: Session, run_id: RunId, outcome: Outcome, desk: Desk, settings: RunSettings
) -> None:
    """Count what a run used in the hours of its person and its app."""
    run = session.get_one(Run, run_id)
    budgets.charge(session, parties(run, settings), _used(outcome, desk), now=utc_now())


def _used(outcome: Outcome, desk: Desk) -> Amounts:
    return Amounts(
        cpu_ms=outcome.cpu_ms,
        wall_ms=outcome.wall_ms,
        memory_mb_s=outcome.peak_memory_bytes * outcome.wall_ms // (2**20 * 1000),
        output_bytes=outcome.output_bytes,
        host_calls=outcome.host_calls,
        llm_tokens=desk.tally.usage.charged_tokens,
        kv_bytes=desk.kv_bytes,
        egress_requests=desk.egress_requests,
    )


def _reason(outcome: Outcome, desk: Desk) -> tuple[str, str]:
    if desk.fatal is not None:
        return desk.fatal.rule or "llm.gone", desk.fatal.message
    if outcome.error is None:
        return "app.error", "The app ended without an answer."
    return mended(outcome.error.rule), mended(outcome.error.message)


def _receipt(outcome: Outcome, desk: Desk) -> dict[str, Any]:
    return {
        "model": desk.tally.model,
        **asdict(desk.tally.usage),
        "cpu_ms": outcome.cpu_ms,
        "wall_ms": outcome.wall_ms,
        "host_calls": outcome.host_calls,
        "permissions_used": sorted(desk.permissions_used),
    }
