"""Sessions: who sees what, who waits, and what survives an error."""

import threading
from datetime import datetime

import pytest
from sqlmodel import Session, select

from marketplace.infra import jobs
from marketplace.infra.db import Database
from marketplace.infra.jobs import Job


def test_a_writing_session_commits_at_its_end(empty_database: Database) -> None:
    with empty_database.writing() as session:
        jobs.enqueue(session, "tests.greet", word="salam")
    with empty_database.reading() as session:
        [job] = session.exec(select(Job)).all()
    assert (job.name, job.payload) == ("tests.greet", {"word": "salam"})


def test_an_error_in_a_writing_session_leaves_nothing(empty_database: Database) -> None:
    def break_off() -> None:
        with empty_database.writing() as session:
            jobs.enqueue(session, "tests.greet")
            session.flush()  # the row must be in the transaction for the rollback to matter
            raise LookupError

    with pytest.raises(LookupError):
        break_off()
    with empty_database.reading() as session:
        assert session.exec(select(Job)).all() == []


def test_a_reading_session_keeps_nothing(empty_database: Database) -> None:
    with empty_database.reading() as session:
        jobs.enqueue(session, "tests.greet")
        session.flush()  # it must reach the database to show that it does not stay there
    with empty_database.reading() as session:
        assert session.exec(select(Job)).all() == []


def test_many_writers_together_each_get_their_turn(empty_database: Database) -> None:
    def write() -> None:
        for _ in range(10):
            with empty_database.writing() as session:
                jobs.enqueue(session, "tests.count")

    writers = [threading.Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with empty_database.reading() as session:
        assert len(session.exec(select(Job)).all()) == 80


def test_a_naive_instant_is_refused(session: Session) -> None:
    session.add(
        Job(name="tests.late", run_at=datetime(2026, 1, 1), created_at=datetime(2026, 1, 1))
    )
    with pytest.raises(Exception, match="naive datetime"):
        session.flush()  # the column's type is what refuses
