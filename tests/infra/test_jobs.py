"""Jobs: enqueued with the work they follow, done once, and never lost with their worker."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from marketplace.infra import jobs
from marketplace.infra.db import Database, DatabaseBusy
from marketplace.infra.jobs import Handler, Job, JobContext, JobState, Schedule, Worker
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import Conflict

ROOT = Path(__file__).parent.parent.parent
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = timedelta(seconds=1)


def add(database: Database, name: str = "tests.greet", **given: object) -> None:
    with database.writing() as session:
        jobs.enqueue(session, name, **given)


def all_jobs(database: Database) -> list[Job]:
    with database.reading() as session:
        return list(session.exec(select(Job).order_by(Job.name)).all())


def only(database: Database) -> Job:
    [job] = all_jobs(database)
    return job


def claim(database: Database, worker: str, now: datetime) -> Job | None:
    with database.writing() as session:
        return jobs.claim(session, worker=worker, names={"tests.greet"}, now=now)


def soon() -> datetime:
    return utc_now() + LATER


def test_a_job_is_done_once_with_its_payload(empty_database: Database) -> None:
    seen: list[JobContext] = []
    add(empty_database, word="سلام", numbers=[1, None])
    worker = Worker(empty_database, {"tests.greet": seen.append})
    now = soon()
    assert worker.step(now) is True
    assert worker.step(now) is False
    [context] = seen
    assert (context.payload, context.now) == ({"word": "سلام", "numbers": [1, None]}, now)
    job = only(empty_database)
    assert (job.state, job.attempts, job.leased_until) == (JobState.DONE, 1, None)


def test_a_job_does_not_exist_when_its_work_was_undone(empty_database: Database) -> None:
    def undone() -> None:
        with empty_database.writing() as session:
            jobs.enqueue(session, "tests.greet")
            raise Conflict("Changed our mind.")

    with pytest.raises(Conflict):
        undone()
    assert all_jobs(empty_database) == []


def test_a_job_waits_for_its_hour(empty_database: Database) -> None:
    add(empty_database, run_at=NOON)
    assert claim(empty_database, "a", NOON - LATER) is None
    assert claim(empty_database, "a", NOON) is not None


def test_the_oldest_job_goes_first(empty_database: Database) -> None:
    for minutes in (3, 1, 2):
        add(empty_database, run_at=NOON + timedelta(minutes=minutes), number=minutes)
    now = NOON + timedelta(hours=1)
    found = [claim(empty_database, "a", now) for _ in range(3)]
    assert [job.payload["number"] for job in found if job] == [1, 2, 3]


def test_the_same_key_is_the_same_job(session: Session) -> None:
    for _ in range(2):
        jobs.enqueue(session, "tests.greet", dedupe_key="order-1")
        session.flush()  # the second must find the first in the database
    jobs.enqueue(session, "tests.greet", dedupe_key="order-2")
    assert len(session.exec(select(Job)).all()) == 2


def test_a_leased_job_is_nobody_elses_until_its_worker_falls_silent(
    empty_database: Database,
) -> None:
    add(empty_database, run_at=NOON)
    assert claim(empty_database, "a", NOON) is not None
    assert claim(empty_database, "b", NOON + timedelta(seconds=30)) is None
    again = claim(empty_database, "b", NOON + timedelta(seconds=31))
    assert again is not None
    assert (again.leased_by, again.attempts) == ("b", 2)


def test_a_job_that_kills_its_workers_is_given_up(empty_database: Database) -> None:
    add(empty_database, run_at=NOON)
    for attempt in range(5):
        assert claim(empty_database, "a", NOON + timedelta(minutes=attempt)) is not None
    assert claim(empty_database, "a", NOON + timedelta(minutes=5)) is None
    job = only(empty_database)
    assert (job.state, job.attempts) == (JobState.FAILED, 5)
    assert job.error == "Its worker fell silent 5 times."
    assert claim(empty_database, "a", NOON + timedelta(minutes=6)) is None


def test_a_job_nobody_here_knows_is_left_for_others(empty_database: Database) -> None:
    add(empty_database, "tests.unknown")
    assert Worker(empty_database, {"tests.greet": lambda _: None}).step(soon()) is False
    assert only(empty_database).state is JobState.QUEUED


def test_a_job_that_fails_is_tried_again_later_and_later(
    empty_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    logged: list[MutableMapping[str, Any]],
) -> None:
    def fail(_context: JobContext) -> None:
        raise RuntimeError("The printer is on fire.")

    monkeypatch.setattr(jobs, "utc_now", lambda: NOON)
    add(empty_database)
    worker = Worker(empty_database, {"tests.greet": fail})
    waits = []
    for _ in range(4):
        assert worker.step(NOON + timedelta(hours=1))
        job = only(empty_database)
        assert job.state is JobState.QUEUED
        waits.append(job.run_at - NOON)
    assert waits == [timedelta(seconds=s) for s in (2, 4, 8, 16)]
    assert worker.step(NOON + timedelta(hours=1))
    assert [entry["event"] for entry in logged] == ["job.failed"] * 5
    job = only(empty_database)
    assert (job.state, job.error) == (
        JobState.FAILED,
        "RuntimeError('The printer is on fire.')",
    )


@pytest.mark.usefixtures("logged")
def test_an_answer_that_is_no_accident_is_not_asked_for_again(empty_database: Database) -> None:
    def refuse(_context: JobContext) -> None:
        raise Conflict("This order is paid already.")

    add(empty_database)
    Worker(empty_database, {"tests.greet": refuse}).step(soon())
    assert only(empty_database).state is JobState.FAILED


def test_a_worker_that_was_given_up_does_not_end_anothers_job(empty_database: Database) -> None:
    def taken_over(_context: JobContext) -> None:
        with empty_database.writing() as session:
            session.exec(select(Job)).one().leased_by = "another worker"

    add(empty_database)
    Worker(empty_database, {"tests.greet": taken_over}).step(soon())
    assert only(empty_database).state is JobState.RUNNING


def test_a_long_job_keeps_its_lease(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "HEARTBEAT_S", 0.02)
    lease: list[datetime] = []

    def long(_context: JobContext) -> None:
        first = only(empty_database).leased_until
        while (present := only(empty_database).leased_until) == first:
            pass
        assert first is not None
        assert present is not None
        lease.extend((first, present))

    add(empty_database)
    # A worker whose clock is behind: the beat, by the true clock, gives it a later lease.
    Worker(empty_database, {"tests.greet": long}).step(soon() - LATER)
    assert only(empty_database).state is JobState.DONE
    assert lease[1] > lease[0]


@pytest.mark.usefixtures("logged")
def test_a_beat_that_fails_does_not_end_the_job(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "HEARTBEAT_S", 0.01)
    missed = threading.Event()
    true_writing = empty_database.writing

    def sometimes() -> AbstractContextManager[Session]:
        if threading.current_thread() is not threading.main_thread():
            missed.set()
            raise DatabaseBusy("The database is busy.")
        return true_writing()

    monkeypatch.setattr(empty_database, "writing", sometimes)
    add(empty_database)
    worker = Worker(empty_database, {"tests.greet": lambda _: missed.wait(5) and None})
    assert worker.step(soon())
    assert missed.is_set()
    assert only(empty_database).state is JobState.DONE


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize(
    "error",
    [
        OperationalError("SELECT", {}, Exception("gone")),
        DatabaseBusy("Busy."),
        RuntimeError("can't start new thread"),
    ],
)
def test_a_worker_outlives_a_machine_that_has_nothing_left(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    stop = threading.Event()
    worker = Worker(empty_database, {"tests.greet": lambda _: stop.set()})
    true_step, failures = worker.step, [error]

    def step(now: datetime) -> bool:
        if failures:
            raise failures.pop()
        return true_step(now)

    monkeypatch.setattr(worker, "step", step)
    monkeypatch.setattr(stop, "wait", lambda _seconds: stop.is_set())
    add(empty_database)
    worker.run(stop)
    assert only(empty_database).state is JobState.DONE


def test_many_workers_do_each_job_once(empty_database: Database) -> None:
    done: list[int] = []
    for number in range(30):
        add(empty_database, number=number)
    now = soon()

    def work() -> None:
        greet: Handler = lambda context: done.append(context.payload["number"])  # noqa: E731
        worker = Worker(empty_database, {"tests.greet": greet})
        while worker.step(now):
            pass

    workers = [threading.Thread(target=work) for _ in range(4)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert sorted(done) == list(range(30))


def test_a_job_survives_the_death_of_its_worker(empty_database: Database) -> None:
    script = textwrap.dedent(
        """
        import os, signal, sys
        from datetime import timedelta
        from marketplace.infra.db import Database
        from marketplace.infra.jobs import Worker
        from marketplace.kernel.clock import utc_now

        def die(context):
            os.kill(os.getpid(), signal.SIGKILL)

        Worker(Database(sys.argv[1]), {"tests.greet": die}).step(utc_now() + timedelta(seconds=1))
        """
    )
    add(empty_database, word="salam")
    url = empty_database.url.render_as_string(hide_password=False)
    killed = subprocess.run(
        [sys.executable, "-c", script, url], cwd=ROOT, env={**os.environ}, check=False, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    assert only(empty_database).state is JobState.RUNNING
    seen: list[JobContext] = []
    worker = Worker(empty_database, {"tests.greet": seen.append})
    assert worker.step(soon()) is False
    assert worker.step(soon() + timedelta(seconds=31)) is True
    assert [context.payload for context in seen] == [{"word": "salam"}]
    assert only(empty_database).attempts == 2


def test_a_scheduled_job_returns_at_its_interval(empty_database: Database) -> None:
    runs: list[datetime] = []
    worker = Worker(
        empty_database, {"tests.sweep": lambda c: runs.append(c.now)}, {"tests.sweep": 60}
    )
    begun = soon()
    for seconds in (0, 1, 59, 60, 61, 500):
        worker.step(begun + timedelta(seconds=seconds))
    assert [(run - begun).total_seconds() for run in runs] == [0, 60, 500]
    assert len(all_jobs(empty_database)) == 1


def test_two_workers_enqueue_a_scheduled_job_once(empty_database: Database) -> None:
    begun = soon()
    start = threading.Barrier(4)
    runs: list[int] = []

    def work() -> None:
        worker = Worker(
            empty_database, {"tests.sweep": lambda _: runs.append(1)}, {"tests.sweep": 60}
        )
        start.wait()
        worker.step(begun)

    with empty_database.writing() as session:
        session.add(Schedule(name="tests.sweep", next_at=NOON))
    workers = [threading.Thread(target=work) for _ in range(4)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert runs == [1]
