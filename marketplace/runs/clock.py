"""The worker's clock: starts the runs of schedules that are due, in a thread beside the jobs."""

import threading
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog

from marketplace.infra.db import Database
from marketplace.infra.vault import Vault
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import RunId
from marketplace.runs import timers
from marketplace.runs.executor import Busy, Executor
from marketplace.runs.settings import RunSettings

LOOK_S = 2.0

log = structlog.get_logger()


class Clock:
    """Looks again and again which schedules are due; a job that takes long does not hold it up.

    A run exists once its transaction is committed: should the process die before the run has
    begun, a sibling ends it as failed, and its schedule goes on at the next beat.
    """

    def __init__(
        self, database: Database, executor: Executor, vault: Vault, settings: RunSettings
    ) -> None:
        self._database = database
        self._executor = executor
        self._vault = vault
        self._settings = settings

    def run(self, stop: threading.Event, now: Callable[[], datetime] = utc_now) -> None:
        """Start what is due until `stop` is set."""
        while not stop.wait(LOOK_S):
            try:
                self.step(now())
            except Busy:
                log.info("clock.busy")
            except Exception:
                # Whatever it was, a clock that stands still would be missed by nobody.
                log.exception("clock.failed")

    def step(self, now: datetime) -> int:
        """Start what is due. Returns: how many runs began. Raises: Busy."""
        with self._database.reading() as session:
            found = timers.due(session, now=now)
        began = 0
        for timer_id in found:
            self._executor.check_room()
            try:
                run_id = self._begin(timer_id, now)
            except Exception:
                # The others' time has come as well.
                log.exception("clock.schedule_failed", schedule=str(timer_id))
                continue
            if run_id is not None:
                self._executor.start(run_id)
                began += 1
        return began

    def _begin(self, timer_id: UUID, now: datetime) -> RunId | None:
        with self._database.writing() as session:
            return timers.begin(
                session,
                timer_id,
                settings=self._settings,
                vault=self._vault,
                executor=self._executor.name,
                now=now,
            )
