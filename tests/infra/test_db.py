"""Sessions: who sees what, who waits, and what survives an error."""

import threading
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlmodel import Session, select

from marketplace.infra import db, jobs
from marketplace.infra.db import Database, DatabaseBusy, WriteGate, normalised
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


def test_an_error_that_is_logged_holds_no_value_of_a_row(session: Session) -> None:
    statement = text("SELECT :wish FROM nowhere").bindparams(wish="a secret wish")
    with pytest.raises(SQLAlchemyError) as refused:
        session.connection().execute(statement)
    assert "nowhere" in str(refused.value)
    assert "secret wish" not in str(refused.value)


def test_a_naive_instant_is_refused(session: Session) -> None:
    session.add(
        Job(name="tests.late", run_at=datetime(2026, 1, 1), created_at=datetime(2026, 1, 1))
    )
    with pytest.raises(Exception, match="naive datetime"):
        session.flush()  # the column's type is what refuses


def test_a_gate_that_cannot_be_opened_does_not_stay_locked(tmp_path: Path) -> None:
    gate = WriteGate(tmp_path / "not-there" / "store.gate")
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            gate.enter()
    (tmp_path / "not-there").mkdir()
    gate.enter()
    gate.leave()


def test_a_writer_that_waits_too_long_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "GATE_TIMEOUT_S", 0.05)
    # Two gates on one file are two processes; one gate taken twice is two threads.
    gate, other = WriteGate(tmp_path / "store.gate"), WriteGate(tmp_path / "store.gate")
    gate.enter()
    for waiting in (gate, other):
        with pytest.raises(DatabaseBusy, match="try again"):
            waiting.enter()
    gate.leave()
    other.enter()
    other.leave()


def test_a_writer_that_fails_leaves_the_gate(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    for _ in range(3):
        with pytest.raises(OperationalError), database.writing() as session:
            session.connection().execute(text("INSERT INTO nowhere VALUES (1)"))
    with database.writing() as session:
        session.connection().execute(text("CREATE TABLE somewhere (id INTEGER)"))
    database.close()


def test_only_the_outermost_transaction_holds_the_gate(empty_database: Database) -> None:
    with empty_database.writing() as session:
        with session.begin_nested():
            jobs.enqueue(session, "tests.inner")
        jobs.enqueue(session, "tests.outer")
    with empty_database.writing() as session:
        assert len(session.exec(select(Job)).all()) == 2


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_an_address_of_postgresql_gets_our_driver(scheme: str) -> None:
    assert normalised(f"{scheme}://store@db/caravan").drivername == "postgresql+psycopg"


def test_sqlite_is_a_version_that_keeps_its_promises() -> None:
    assert db.sqlite.sqlite_version_info >= db.SAFE_SQLITE
