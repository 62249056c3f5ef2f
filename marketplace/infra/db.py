"""Sessions on SQLite and PostgreSQL: who may write, and when a transaction begins."""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import SessionTransaction
from sqlmodel import Session, SQLModel

from marketplace.kernel.errors import Unavailable

# SQLite before 3.51.3 can corrupt a WAL file that several processes write.
# https://sqlite.org/wal.html#walresetbug
SAFE_SQLITE = (3, 51, 3)
GATE_TIMEOUT_S = 10.0

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class DatabaseBusy(Unavailable):
    """Another writer held the database for longer than a person should wait."""


class WriteGate:
    """Lets one writer at a time into a SQLite file, across threads and processes.

    SQLite's own busy handler lets writers starve each other: two of four processes got one
    transaction in five seconds, where a file lock in front gave each its turn.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread_lock = threading.Lock()
        self._descriptor = -1
        self._pid = 0

    def enter(self) -> None:
        """Wait for the turn. Raises: DatabaseBusy after ten seconds."""
        deadline = time.monotonic() + GATE_TIMEOUT_S
        if not self._thread_lock.acquire(timeout=GATE_TIMEOUT_S):
            raise DatabaseBusy("The database is busy. Please try again in a moment.")
        try:
            self._lock_file(deadline)
        except BaseException:
            self._thread_lock.release()
            raise

    def _lock_file(self, deadline: float) -> None:
        if self._pid != os.getpid():
            # A lock belongs to the open file: a forked child must open its own.
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            self._pid = os.getpid()
        pause_s = 0.0005
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise DatabaseBusy(
                        "The database is busy. Please try again in a moment."
                    ) from None
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, 0.005)
            else:
                return

    def leave(self) -> None:
        """Let the next writer in."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._thread_lock.release()


class WritingSession(Session):
    """A session whose transaction holds the write gate from its first statement to its end."""

    gate: WriteGate


def _begin_immediate(
    session: Session, transaction: SessionTransaction, connection: Connection
) -> None:
    if isinstance(session, WritingSession) and transaction.parent is None:
        session.gate.enter()
        session.info["holds_gate"] = True
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _leave_gate(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None and session.info.pop("holds_gate", False):
        assert isinstance(session, WritingSession)
        session.gate.leave()


event.listen(Session, "after_begin", _begin_immediate)
event.listen(Session, "after_transaction_end", _leave_gate)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Transactions are begun by us alone, never by the driver.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "busy_timeout=10000",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "mmap_size=268435456",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_read(connection: Connection) -> None:
    if not connection.get_execution_options().get("writes"):
        connection.exec_driver_sql("BEGIN")


def is_disk_full(error: BaseException) -> bool:
    """Whether a file or the database could not be written for want of room."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    text = str(error.orig).lower() if isinstance(error, OperationalError) else ""
    # SQLite cannot make its shared memory on a full disk, and calls that an I/O error.
    return any(words in text for words in ("disk is full", "no space left", "disk i/o error"))


def normalised(url: str) -> URL:
    """The address with our driver named: `postgresql://…` is read with psycopg."""
    parsed = make_url(url)
    if parsed.drivername in {"postgres", "postgresql"}:
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def inserting(session: Session, table: type[SQLModel]) -> Any:
    """An insert in the words of the session's database, which both know `on_conflict_do_update`.

    SQLAlchemy has no common one, and the two statements share no type.
    """
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return (insert_sqlite if is_sqlite else insert_postgresql)(table)


class Database:
    """One database, SQLite by default or PostgreSQL by its address.

    Args:
        url: `sqlite:///path/to/file.db` or `postgresql://user@host/name`.
    """

    def __init__(self, url: str) -> None:
        self.url = normalised(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            file = Path(self.url.database or "")
            file.parent.mkdir(parents=True, exist_ok=True)
            self._gate = WriteGate(file.with_name(file.name + ".gate"))
            self.engine: Engine = create_engine(
                self.url, module=sqlite, pool_size=20, hide_parameters=True
            )
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_read)
        else:
            self.engine = create_engine(
                self.url,
                pool_size=20,
                pool_pre_ping=True,
                hide_parameters=True,
                connect_args={"connect_timeout": 5},
            )
        self._writes = self.engine.execution_options(writes=True)

    def open(self, *, writes: bool) -> Session:
        """A new session; the caller commits or rolls back and closes it."""
        if not writes:
            return Session(self.engine, expire_on_commit=False)
        if not self.is_sqlite:
            return Session(self._writes, expire_on_commit=False)
        session = WritingSession(self._writes, expire_on_commit=False)
        session.gate = self._gate
        return session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for reads; nothing it changes is kept."""
        session = self.open(writes=False)
        try:
            yield session
        finally:
            # Closing rolls back and, unlike rollback(), leaves what was read usable.
            session.close()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that commits at the end, or rolls back when the block raises."""
        session = self.open(writes=True)
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()
