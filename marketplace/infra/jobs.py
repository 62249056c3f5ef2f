"""Work for later: leased rows, enqueued in the same transaction as what they follow."""

import os
import socket
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Index, Uuid, or_, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Field, Session, SQLModel, col, select

from marketplace.infra.db import Database, DatabaseBusy
from marketplace.infra.types import UtcDateTime, enum_column, json_column
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import CaravanError
from marketplace.kernel.ids import JobId, new_id

HEARTBEAT_S = 10
STALLED_S = 30
POLL_S = 0.2
MAX_ATTEMPTS = 5
MAX_ERROR_CHARS = 2000

log = structlog.get_logger()


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Job(SQLModel, table=True):
    """One piece of work, held by at most one worker at a time by a lease it must renew."""

    __tablename__ = "infra_job"
    __table_args__ = (Index("ix_infra_job_due", "state", "run_at"),)

    id: JobId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    name: str = Field(max_length=80, index=True)
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=json_column())
    state: JobState = Field(default=JobState.QUEUED, sa_type=enum_column(JobState))
    run_at: datetime = Field(sa_type=UtcDateTime)
    attempts: int = 0
    dedupe_key: str | None = Field(default=None, max_length=200, unique=True)
    leased_by: str | None = Field(default=None, max_length=120)
    leased_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    error: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Schedule(SQLModel, table=True):
    """A job that returns: when it is next due."""

    __tablename__ = "infra_schedule"

    name: str = Field(primary_key=True, max_length=80)
    next_at: datetime = Field(sa_type=UtcDateTime)


@dataclass(frozen=True)
class JobContext:
    """What a handler works with. It may run more than once: handlers are idempotent."""

    database: Database
    payload: Mapping[str, Any]
    now: datetime


Handler = Callable[[JobContext], None]


def enqueue(
    session: Session,
    name: str,
    *,
    run_at: datetime | None = None,
    dedupe_key: str | None = None,
    **payload: Any,
) -> None:
    """Add one job to the caller's transaction; it exists only if that commits.

    Args:
        run_at: aware instant before which it must not run; now, when not given.
        dedupe_key: a second job with the same key is not added.
        payload: JSON values for the handler.
    """
    if dedupe_key is not None:
        known = session.exec(select(Job.id).where(Job.dedupe_key == dedupe_key)).first()
        if known is not None:
            return
    now = utc_now()
    session.add(
        Job(
            name=name,
            payload=payload,
            run_at=run_at or now,
            dedupe_key=dedupe_key,
            created_at=now,
        )
    )


def _due(names: Collection[str], now: datetime) -> ColumnElement[bool]:
    waiting = (col(Job.state) == JobState.QUEUED) & (col(Job.run_at) <= now)
    silent = (col(Job.state) == JobState.RUNNING) & (col(Job.leased_until) < now)
    return col(Job.name).in_(names) & or_(waiting, silent)


def claim(session: Session, *, worker: str, names: Collection[str], now: datetime) -> Job | None:
    """Lease the oldest due job, or one whose worker fell silent, for thirty seconds.

    Effects: a job whose workers fell silent too often is failed instead: it may be what kills
    them.
    """
    job = session.exec(
        select(Job)
        .where(_due(names, now))
        .order_by(col(Job.run_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if job is None:
        return None
    if job.attempts >= MAX_ATTEMPTS:
        job.state, job.finished_at, job.leased_until = JobState.FAILED, now, None
        job.error = f"Its worker fell silent {job.attempts} times."
        return None
    job.state = JobState.RUNNING
    job.attempts += 1
    job.leased_by = worker
    job.leased_until = now + timedelta(seconds=STALLED_S)
    session.add(job)
    return job


def any_due(session: Session, *, names: Collection[str], now: datetime) -> bool:
    """Whether there is work of these kinds, without taking the write gate to see."""
    return session.exec(select(Job.id).where(_due(names, now)).limit(1)).first() is not None


class Worker:
    """Runs jobs one after the other until told to stop.

    Args:
        handlers: job name → what does it.
        schedules: job name → seconds between two runs of a job without payload.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        schedules: Mapping[str, float] | None = None,
    ) -> None:
        self._database = database
        self._handlers = handlers
        self._schedules = schedules or {}
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self.names = frozenset(handlers)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; a job under way is finished first."""
        while not stop.is_set():
            try:
                worked = self.step(utc_now())
            except Exception:
                # Whatever it was (no database, no thread, no disk), a worker that is gone would
                # be missed by nobody before its jobs are.
                log.exception("worker.failed")
                stop.wait(1.0)
                continue
            if not worked:
                stop.wait(POLL_S)

    def step(self, now: datetime) -> bool:
        """Do one due job. Returns: whether there was one."""
        self._enqueue_scheduled(now)
        with self._database.reading() as session:
            if not any_due(session, names=self.names, now=now):
                return False
        with self._database.writing() as session:
            job = claim(session, worker=self._name, names=self.names, now=now)
        if job is None:
            return False
        self._do(job, now)
        return True

    def _enqueue_scheduled(self, now: datetime) -> None:
        if not self._schedules:
            return
        with self._database.reading() as session:
            known = {row.name: row.next_at for row in session.exec(select(Schedule)).all()}
        due = [name for name in self._schedules if known.get(name, now) <= now]
        if not due:
            return
        with self._database.writing() as session:
            for name in due:
                # Two workers may see it due together; the later one finds it moved on.
                row = session.get(Schedule, name, with_for_update=True)
                if row is not None and row.next_at > now:
                    continue
                next_at = now + timedelta(seconds=self._schedules[name])
                session.add(row or Schedule(name=name, next_at=next_at))
                if row is not None:
                    row.next_at = next_at
                self._forget_done(session, name)
                enqueue(session, name, run_at=now)

    def _forget_done(self, session: Session, name: str) -> None:
        # A returning job would otherwise leave a row behind every time.
        for done in session.exec(
            select(Job).where(Job.name == name, Job.state == JobState.DONE)
        ).all():
            session.delete(done)

    def _do(self, job: Job, now: datetime) -> None:
        finished = threading.Event()
        beat = threading.Thread(target=self._renew, args=(job.id, finished), daemon=True)
        beat.start()
        try:
            self._handlers[job.name](JobContext(self._database, job.payload, now))
        except Exception as error:
            log.exception("job.failed", job=job.name, id=str(job.id))
            self._end(job, error=error)
        else:
            self._end(job, error=None)
        finally:
            finished.set()
            beat.join()

    def _renew(self, job_id: JobId, finished: threading.Event) -> None:
        while not finished.wait(HEARTBEAT_S):
            try:
                with self._database.writing() as session:
                    session.exec(
                        update(Job)
                        .where(col(Job.id) == job_id, col(Job.leased_by) == self._name)
                        .values(leased_until=utc_now() + timedelta(seconds=STALLED_S))
                    )
            except (SQLAlchemyError, DatabaseBusy):
                # The lease outlasts two beats that are missed; the next one may get through.
                log.exception("worker.heartbeat_failed", id=str(job_id))

    def _end(self, job: Job, *, error: Exception | None) -> None:
        now = utc_now()
        with self._database.writing() as session:
            row = session.get(Job, job.id, with_for_update=True)
            if row is None or row.leased_by != self._name:
                return
            row.leased_until = None
            if error is None:
                row.state, row.finished_at, row.error = JobState.DONE, now, None
                return
            row.error = repr(error)[:MAX_ERROR_CHARS]
            # A CaravanError is an answer, not an accident: trying again gives the same.
            if row.attempts >= MAX_ATTEMPTS or isinstance(error, CaravanError):
                row.state, row.finished_at = JobState.FAILED, now
            else:
                row.state = JobState.QUEUED
                row.run_at = now + timedelta(seconds=2**row.attempts)
