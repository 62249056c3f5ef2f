"""The store runs an app's own samples, for nobody and at nobody's expense, and notes the cost."""

import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import structlog
from caravan.manifest import Case
from caravan.samples import alone, spoken
from sqlmodel import Session, col, delete, select

from marketplace.catalog.models import App, AppState, Cost, Release
from marketplace.inference.ports import Inference
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.infra.egress import Egress
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId, AppId, ReleaseId, RunId, new_id
from marketplace.publishing import bundles, code
from marketplace.runs import grants, wishes
from marketplace.runs.asking import Asking
from marketplace.runs.events import EventWriter
from marketplace.runs.files import Reader, RunFiles
from marketplace.runs.host_calls import Desk
from marketplace.runs.models import KvEntry, Run
from marketplace.runs.preferences import Known
from marketplace.runs.questions import Questions
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.budgets import NAMES, Amounts
from marketplace.sandbox.ports import Outcome, OutcomeKind, Sandbox
from marketplace.sandbox.settings import SandboxSettings

MOST_SAMPLES = 3
LONGEST_ENGINE = 200
# People who wait for the model go before a sample.
SHARE = 0.05
# A store that has just started has people to serve first.
SETTLE_S = 120.0
PAUSE_S = 30.0
# A release that cannot be read or run rests before it is tried again.
FIRST_REST = timedelta(minutes=10)
LONGEST_REST = timedelta(days=1)
WITHOUT_END = Amounts(*(2**62 for _name in NAMES))
# A sample must leave nothing behind: not in what all people of an app share, not on the web.
LASTING = frozenset({"kv.app", "net.fetch"})

log = structlog.get_logger()


@dataclass(frozen=True)
class Stage:
    """What rehearsals need of the store."""

    database: Database
    sandbox: Sandbox
    inference: Inference
    blobs: Blobs
    egress: Egress
    settings: RunSettings
    sandbox_settings: SandboxSettings


@dataclass(frozen=True)
class Take:
    """How one sample went.

    Args:
        first_ms: until the first words came, None where there were none.
        is_right: whether its answer has all that its developer promises.
    """

    outcome: Outcome
    first_ms: int | None
    model: str | None
    prompt_tokens: int
    generated_tokens: int
    is_right: bool


class Watch(EventWriter):
    """Notes when the first words of a run came."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._began = time.monotonic()
        self.first_ms: int | None = None

    def write(self, name: str, data: Any) -> None:
        """Add one event."""
        if self.first_ms is None and name in {"text", "item"}:
            self.first_ms = round((time.monotonic() - self._began) * 1000)
        super().write(name, data)


class Rehearsal(Desk):
    """The host's side of a sample: no advertisement is shown, and everything is bought."""

    def _slot(self, payload: dict[str, Any]) -> None:
        self._slots[str(payload.get("name"))] = None

    def _entitled(self, _payload: dict[str, Any]) -> bool:
        return True


class Patience:
    """Leaves a release that could not be measured alone, twice as long each time up to a day.

    The others are measured meanwhile.
    """

    def __init__(self) -> None:
        self._rests: dict[ReleaseId, timedelta] = {}
        self._rests_until: dict[ReleaseId, datetime] = {}

    def lose(self, release_id: ReleaseId, *, now: datetime) -> None:
        """Note that it could not be measured."""
        rest = min(2 * self._rests.get(release_id, FIRST_REST / 2), LONGEST_REST)
        self._rests[release_id] = rest
        self._rests_until[release_id] = now + rest

    def resting(self, *, now: datetime) -> list[ReleaseId]:
        """The releases to leave alone now."""
        return [each for each, until in self._rests_until.items() if now < until]


def keep_measuring(
    stage: Stage, stop: threading.Event, now: Callable[[], datetime] = utc_now
) -> None:
    """Measure one release after the other until `stop` is set, in a thread beside the jobs."""
    patience = Patience()
    pause_s = SETTLE_S
    while not stop.wait(pause_s):
        pause_s = PAUSE_S
        try:
            measure_next(stage, stop, patience, now=now())
        except Exception:
            # Runners that are busy or a bundle that is gone: the next look may fare better.
            log.exception("rehearsal.failed")


def measure_next(
    stage: Stage, stop: threading.Event, patience: Patience, *, now: datetime
) -> ReleaseId | None:
    """Measure the most used app whose live release was not yet, with the present model.

    Returns: the release that was measured, or None where there is none, no model answers, or
        `stop` was set before the last sample ended.
    Raises: any error of the bundle or the sandbox; `patience` then has the release.
    Effects: one row of `catalog_cost`, with no figures where no sample could be run.
    """
    status = stage.inference.status()
    if not status.ready:
        return None
    engine = (status.model or "")[:LONGEST_ENGINE]
    with stage.database.reading() as session:
        found = _unmeasured(session, engine, patience.resting(now=now))
    if found is None:
        return None
    app, release = found
    takes: list[Take] = []
    try:
        if _can_be_rehearsed(release) and wishes.unmet(release.manifest, status) is None:
            takes = _perform_all(stage, app, release, stop, now=now)
    except Exception:
        patience.lose(ReleaseId(release.id), now=now)
        raise
    if stop.is_set():
        return None
    with stage.database.writing() as session:
        session.add(_cost(release.id, engine, takes, now=now))
    return ReleaseId(release.id)


def _unmeasured(
    session: Session, engine: str, resting: Collection[ReleaseId]
) -> tuple[App, Release] | None:
    is_measured = (
        select(Cost.release_id)
        .where(Cost.release_id == App.current_release_id, Cost.engine == engine)
        .exists()
    )
    return session.exec(
        select(App, Release)
        .join(Release, col(Release.id) == col(App.current_release_id))
        .where(App.state == AppState.LISTED, col(Release.code_key).is_not(None), ~is_measured)
        .where(col(Release.id).not_in(resting))
        .order_by(col(App.score).desc())
        .limit(1)
    ).first()


def _can_be_rehearsed(release: Release) -> bool:
    asked = {entry["name"] for entry in release.manifest["permission"]}
    needs = [entry for entry in release.manifest.get("setting", ()) if entry.get("required")]
    return not asked & LASTING and not needs


def _perform_all(
    stage: Stage, app: App, release: Release, stop: threading.Event, *, now: datetime
) -> list[Take]:
    cases = list(alone(bundles.opened(stage.blobs.get(release.bundle_key)).files))
    return [_perform(stage, app, release, case, stop, now=now) for case in cases[:MOST_SAMPLES]]


def _perform(
    stage: Stage, app: App, release: Release, case: Case, stop: threading.Event, *, now: datetime
) -> Take:
    # Nobody's run: its row is never written, and its person is in no other table.
    run = Run(
        id=RunId(new_id()),
        app_id=app.id,
        release_id=release.id,
        person_id=AccountId(new_id()),
        action=case.action,
        input=dict(case.input),
        state_changed_at=now,
        created_at=now,
    )
    usual = grants.grant_for(
        run,
        app,
        release,
        stage.settings,
        pseudonym=run.person_id.hex[:20],
        left=WITHOUT_END,
        known=Known(),
        withheld=(),
    )
    grant = replace(usual, share=SHARE)
    usual_job = grants.job_of(
        run,
        release,
        grant,
        code=code.load(stage.blobs, release),
        values=run.input,
        limits=grants.limits_of(release, stage.sandbox_settings, WITHOUT_END),
    )
    # Nobody runs it, so it does not become one to prepare instances for; and its cost is whole.
    job = replace(usual_job, release="")
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Watch(Path(folder) / "events.jsonl")) as watch,
    ):
        desk = Rehearsal(
            grant,
            database=stage.database,
            inference=stage.inference,
            egress=stage.egress,
            events=watch,
            files=Reader(RunFiles(Path(folder)), run.person_id, run.id, most_bytes=0),
            asking=Asking(run.id, Questions(Path(folder)), watch, stage.settings, has_page=False),
        )
        try:
            outcome = stage.sandbox.run(job, desk, stop)
        finally:
            desk.close()
            _forget(stage.database, AppId(app.id), run.person_id)
    return Take(
        outcome=outcome,
        first_ms=watch.first_ms,
        model=desk.tally.model,
        prompt_tokens=desk.tally.usage.prompt_tokens,
        generated_tokens=desk.tally.usage.generated_tokens,
        is_right=all(text in spoken(desk.items) for text in case.expect_contains),
    )


def _forget(database: Database, app_id: AppId, person_id: AccountId) -> None:
    with database.writing() as session:
        session.exec(
            delete(KvEntry).where(
                col(KvEntry.app_id) == app_id, col(KvEntry.person_id) == person_id
            )
        )


def _cost(release_id: ReleaseId, engine: str, takes: list[Take], *, now: datetime) -> Cost:
    good = [take for take in takes if take.outcome.kind is OutcomeKind.FINISHED]
    cost = Cost(
        release_id=release_id,
        engine=engine,
        samples=len(takes),
        passed=sum(take.is_right for take in good),
        measured_at=now,
    )
    for name, value in _figures(good).items() if good else ():
        setattr(cost, name, value)
    return cost


def _figures(good: list[Take]) -> Mapping[str, Any]:
    first = [take.first_ms for take in good if take.first_ms is not None]
    return {
        "model": next((take.model for take in good if take.model), None),
        "prompt_tokens": round(median(take.prompt_tokens for take in good)),
        "generated_tokens": round(median(take.generated_tokens for take in good)),
        "first_ms": round(median(first)) if first else None,
        "total_ms": round(median(take.outcome.wall_ms for take in good)),
        "memory_bytes": round(median(take.outcome.peak_memory_bytes for take in good)),
    }
