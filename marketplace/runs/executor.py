"""Carries out runs in threads of the web process, and ends what a dead process left."""

import fcntl
import os
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
from sqlmodel import col, select

from marketplace.ads import service as ads
from marketplace.catalog.models import App, Release
from marketplace.inference.ports import EngineStatus, Inference
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.infra.egress import Egress
from marketplace.infra.vault import Vault
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import CaravanError, Limited
from marketplace.kernel.ids import AccountId, RunId
from marketplace.kernel.words import noted
from marketplace.publishing import code
from marketplace.runs import budgets, grants, preferences, receipts, secret_input
from marketplace.runs.asking import Asking
from marketplace.runs.audit import AuditLogs
from marketplace.runs.events import EventLogs, EventWriter
from marketplace.runs.files import Reader, RunFiles
from marketplace.runs.host_calls import Desk
from marketplace.runs.models import Run, RunState
from marketplace.runs.questions import Questions
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.ports import Sandbox
from marketplace.sandbox.settings import SandboxSettings

WATCH_S = 0.1
REAP_EVERY = 10
START_GRACE = timedelta(seconds=30)
LINE_GRACE = timedelta(hours=1)
WEB_ENDED = (
    "store.web-ended",
    noted(
        "The web process ended in the middle of this run. Nothing was charged; please run it again."
    ),
)
LOST = (
    "store.lost",
    noted("The store could not note how this run ended. Nothing was charged; please run it again."),
)
NO_THREAD = (
    "store.no-thread",
    noted(
        "The store had no room left to begin this run. Nothing was charged; please run it again."
    ),
)
STORE_ERROR = "store.error"

log = structlog.get_logger()


class Busy(Limited):
    """This web process carries out as many runs as it may."""


class Executor:
    """Runs apps: one thread each, answered by a `Desk`, ended by one receipt.

    A process holds a lock file while it lives. The kernel frees it even after kill -9, so that
    any sibling on this host can tell that its runs will never end by themselves. The file alone
    says which host that is: its name may change, and two may have the same.

    Args:
        folder: where lock files lie; shared by the web processes of this host.
        pseudonym: (app ident, person id) → what the app may know the person by.
        vault: opens the secrets of people for the run that needs them.

    Whoever follows a run in this process reads from its `logs`, whose writers wake readers.
    """

    def __init__(
        self,
        *,
        database: Database,
        sandbox: Sandbox,
        inference: Inference,
        egress: Egress,
        blobs: Blobs,
        logs: EventLogs,
        audits: AuditLogs,
        files: RunFiles,
        questions: Questions,
        settings: RunSettings,
        sandbox_settings: SandboxSettings,
        folder: Path,
        pseudonym: Callable[[str, object], str],
        vault: Vault,
    ) -> None:
        self._database = database
        self._sandbox = sandbox
        self._inference = inference
        self._egress = egress
        self._blobs = blobs
        self.logs = logs
        self.audits = audits
        self._files = files
        self.questions = questions
        self._settings = settings
        self._sandbox_settings = sandbox_settings
        self._folder = folder
        self._pseudonym = pseudonym
        self._vault = vault
        self._lock = threading.Lock()
        self._closing = threading.Event()
        # No run goes on for longer, its questions and its place in the line included.
        self._longest = LINE_GRACE + timedelta(
            milliseconds=sandbox_settings.wall_ceiling_ms, seconds=settings.form_wait_s
        )
        self._stops: dict[RunId, Callable[[], None]] = {}
        self._going: set[RunId] = set()
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(8)}"
        folder.mkdir(parents=True, exist_ok=True)
        self._held = os.open(self._lock_path(self.name), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._watcher = threading.Thread(target=self._watch, name="run-watch", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """Look after nothing any more; siblings may then end what this process left."""
        self._closing.set()
        self._watcher.join()
        os.close(self._held)

    def _lock_path(self, name: str) -> Path:
        return self._folder / f"{name}.lock"

    def check_room(self) -> None:
        """Raises: Busy when no further run can be taken on now."""
        if len(self._going) >= self._settings.at_once:
            raise Busy(
                "The store is running as many apps as it can. Please try again in a moment.",
                retry_after_s=5,
            )

    def model_status(self) -> EngineStatus:
        """What the models can do now; an engine that does not answer is waited for."""
        return self._inference.status()

    def start(self, run_id: RunId, *, has_page: bool = False) -> None:
        """Begin one queued run in a thread of its own.

        Args:
            has_page: whether its person watches it, and so can be asked.
        """
        with self._lock:
            self._going.add(run_id)
        carry_out = partial(self._carry_out, run_id, has_page=has_page)
        thread = threading.Thread(target=carry_out, name=f"run-{run_id}")
        try:
            thread.start()
        except RuntimeError:
            log.exception("run.no_thread", run=str(run_id))
            with self._lock:
                self._going.discard(run_id)
            self._end_lost(run_id, *NO_THREAD)

    def stop(self, run_id: RunId) -> None:
        """Ask a run to stop, whichever process of this host carries it out."""
        stop = self._stops.get(run_id)
        if stop is not None:
            stop()
        else:
            self.logs.ask_to_stop(run_id)

    def _watch(self) -> None:
        turn = 0
        while not self._closing.wait(WATCH_S):
            wanted = self.logs.asked_to_stop() if self._stops else set()
            for run_id, stop in tuple(self._stops.items()):
                if str(run_id) in wanted:
                    stop()
            if turn % REAP_EVERY == 0:
                try:
                    self.reap()
                except Exception:
                    log.exception("runs.reap_failed")
            turn += 1

    def reap(self) -> None:
        """End the runs that nobody carries out any more: failed, with a reason, uncharged.

        They are those of a dead process on this host, those of any host that are older than a
        run can be, and those of this process whose thread could not even note the end, because
        the disk was full or the database did not answer.
        """
        going, now = tuple(self._going), utc_now()
        unfinished = col(Run.state).in_([RunState.QUEUED, RunState.RUNNING])
        with self._database.reading() as session:
            names = session.exec(select(Run.executor).where(unfinished).distinct()).all()
            dead = [name for name in names if name and self._is_dead(name)]
            ours = (col(Run.executor) == self.name) & col(Run.id).not_in(going)
            theirs = col(Run.executor).in_(dead) | (col(Run.created_at) < now - self._longest)
            lost = session.exec(
                select(Run.id, Run.executor, Run.state, Run.created_at).where(
                    unfinished, ours | (theirs & (col(Run.executor) != self.name))
                )
            ).all()
        for found, name, state, created_at in lost:
            run_id = RunId(found)
            if name != self.name:
                self._end_lost(run_id, *WEB_ENDED)
            # Between its commit and its thread, a queued run has nobody for a moment.
            elif run_id not in self._going and not (
                state is RunState.QUEUED and now - created_at < START_GRACE
            ):
                self._end_lost(run_id, *LOST)

    def _is_dead(self, name: str) -> bool:
        try:
            descriptor = os.open(self._lock_path(name), os.O_RDWR)
        except FileNotFoundError:
            # It runs on another host, which looks after its own.
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(descriptor)

    def _end_lost(self, run_id: RunId, rule: str, message: str) -> None:
        with self._database.writing() as session:
            run = session.get(Run, run_id, with_for_update=True)
            if run is None or run.has_ended:
                return
            run.move_to(RunState.FAILED, now=utc_now())
            run.error_rule, run.error_message = rule, message
            run.price_micros = 0
            ads.void_for_run(session, run_id, now=utc_now())
        self.questions.clear(run_id)
        self._record_end(run_id, rule)
        with closing(self.logs.open(run_id)) as events:
            events.write("failed", {"message": message})
            events.write("done", {})

    def _record_end(self, run_id: RunId, rule: str) -> None:
        with closing(self.audits.open(run_id)) as audit:
            audit.end(RunState.FAILED.value, rule)

    def _carry_out(self, run_id: RunId, *, has_page: bool) -> None:
        try:
            with closing(self.logs.open(run_id)) as events:
                self._hold(run_id, events, has_page=has_page)
                events.write("done", {})
        except Exception:
            # Not even its end could be noted; `reap` does that once the store can write again.
            log.exception("run.lost", run=str(run_id))
        finally:
            with self._lock:
                self._stops.pop(run_id, None)
                self._going.discard(run_id)
            self.logs.stop_path(run_id).unlink(missing_ok=True)

    def _hold(self, run_id: RunId, events: EventWriter, *, has_page: bool) -> None:
        try:
            self._run(run_id, events, has_page=has_page)
        except Exception as error:
            log.exception("run.broke", run=str(run_id))
            message = (
                error.message
                if isinstance(error, CaravanError)
                else noted("Something went wrong on the store's side. Nothing was charged.")
            )
            self._fail(run_id, events, message)

    def _fail(self, run_id: RunId, events: EventWriter, message: str) -> None:
        with self._database.writing() as session:
            run = session.get(Run, run_id, with_for_update=True)
            if run is not None and not run.has_ended:
                run.move_to(RunState.FAILED, now=utc_now())
                run.error_rule, run.error_message = STORE_ERROR, message
                ads.void_for_run(session, run_id, now=utc_now())
        self._record_end(run_id, STORE_ERROR)
        events.write("failed", {"message": message})

    def _run(self, run_id: RunId, events: EventWriter, *, has_page: bool) -> None:
        stop = threading.Event()
        with self._database.writing() as session:
            run = session.get_one(Run, run_id, with_for_update=True)
            if run.has_ended:
                return
            run.move_to(RunState.RUNNING, now=utc_now())
            release = session.get_one(Release, run.release_id)
            app = session.get_one(App, run.app_id)
            left = budgets.left(session, receipts.parties(run, self._settings), now=utc_now())
            asked = secret_input.opened(run, release, self._vault)
            person = AccountId(run.person_id)
            grant = grants.grant_for(
                run,
                app,
                release,
                self._settings,
                pseudonym=self._pseudonym(app.ident, run.person_id),
                left=left,
                known=preferences.known(session, self._vault, person, app.id, release.manifest),
                withheld=asked.secrets.values(),
            )
            job = grants.job_of(
                run,
                release,
                grant,
                code=code.load(self._blobs, release),
                values=asked.values,
                limits=grants.limits_of(release, self._sandbox_settings, left),
            )
            header = grants.header(run, grant, release, list(asked.secrets))
        events.write("started", {})
        desk = Desk(
            grant,
            database=self._database,
            inference=self._inference,
            egress=self._egress,
            events=events,
            files=Reader(
                self._files,
                grant.person_id,
                grant.run_id,
                most_bytes=self._settings.file_read_bytes,
            ),
            asking=Asking(run_id, self.questions, events, self._settings, has_page=has_page),
        )

        def stop_all() -> None:
            stop.set()
            desk.cancel()

        with self._lock:
            self._stops[run_id] = stop_all
        with closing(self.audits.open(run_id)) as audit:
            audit.begin(header, grant.withheld)
            try:
                outcome = self._sandbox.run(job, desk, stop, audit.call)
            finally:
                desk.close()
            # The log, which holds what is shown too, is kept for weeks and counts in the hour.
            kept = max(outcome.output_bytes, audit.size_bytes)
            outcome = replace(outcome, output_bytes=kept)
            try:
                with self._database.writing() as session:
                    run = receipts.write(
                        session,
                        run_id,
                        outcome,
                        desk,
                        self._settings,
                        secrets=grant.withheld,
                        was_stopped=stop.is_set(),
                    )
            except Exception:
                # What cannot be kept was still computed, and counts in the hour.
                with self._database.writing() as session:
                    receipts.charge(session, run_id, outcome, desk, self._settings)
                raise
            used = {"cpu_ms": run.cpu_ms, "wall_ms": run.wall_ms, "host_calls": run.host_calls}
            audit.end(run.state.value, run.error_rule, **used)
        if run.state is RunState.FAILED:
            events.write("failed", {"message": run.error_message})
