"""The event log of a run: a file that one process writes and any process may follow."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from marketplace.kernel.ids import RunId
from marketplace.runs import audit
from marketplace.web.sse import Event

POLL_S = 0.03
FIRST_POLL_S = 0.005
HEARTBEAT_S = 2.0
LAST = "done"


class EventLogs:
    """The folder of event logs, one file of JSON lines for each run.

    A file and not a table: a stream of tokens would be a database write each, and a reader in
    another process, or one that comes back after a lost connection, only has to read on.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[RunId, EventWriter] = {}

    def path(self, run_id: RunId) -> Path:
        """Where a run's log lies."""
        return self._folder / f"{run_id}.jsonl"

    def stop_path(self, run_id: RunId) -> Path:
        """The file whose presence asks the process that runs it to stop."""
        return self._folder / f"{run_id}.stop"

    def open(self, run_id: RunId) -> "EventWriter":
        """Begin (or, after a crash, go on with) a run's log."""
        self._folder.mkdir(parents=True, exist_ok=True)
        writer = EventWriter(self.path(run_id), partial(self._writers.pop, run_id, None))
        self._writers[run_id] = writer
        return writer

    def ask_to_stop(self, run_id: RunId) -> None:
        """Leave word for the process that runs it, whichever that is."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.stop_path(run_id).touch()

    def follow(
        self, run_id: RunId, *, after: int, is_over: Callable[[], bool]
    ) -> Iterator[Event | None]:
        """The events after the one numbered `after`, as they are written; None while waiting.

        Args:
            is_over: asked after two silent seconds; when true, the log is read a last time and
                the stream ends even without a `done` event.
        """
        offset, silent_since, over = 0, time.monotonic(), False
        pending = b""
        while True:
            chunk = self._read(run_id, offset)
            offset += len(chunk)
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                event = _parse(line)
                if event.id > after:
                    yield event
                if event.name == LAST:
                    return
            now = time.monotonic()
            if chunk:
                silent_since = now
                continue
            if over:
                return
            if now - silent_since > HEARTBEAT_S:
                silent_since, over = now, is_over()
                yield None
                continue
            if writer := self._writers.get(run_id):
                writer.wait_beyond(offset, HEARTBEAT_S)
            else:
                # Another process writes it, or this one is about to begin.
                time.sleep(POLL_S if offset else FIRST_POLL_S)

    def _read(self, run_id: RunId, offset: int) -> bytes:
        try:
            with self.path(run_id).open("rb") as file:
                file.seek(offset)
                return file.read()
        except FileNotFoundError:
            return b""

    def forget(self, run_id: RunId) -> None:
        """Delete all that lies here of one run, which must be over."""
        for path in (self.path(run_id), self.stop_path(run_id)):
            path.unlink(missing_ok=True)

    def forget_older_than(self, seconds: float) -> int:
        """Delete the files not touched for so long. Returns: how many."""
        before = time.time() - seconds
        old = [
            file
            for kind in ("*.stop", "*.jsonl")
            for file in self._folder.glob(kind)
            if not file.name.endswith(audit.SUFFIX) and file.stat().st_mtime < before
        ]
        for file in old:
            file.unlink(missing_ok=True)
        return len(old)


class EventWriter:
    """Appends the events of one run.

    Args:
        closed: called when it writes no more.
    """

    def __init__(self, path: Path, closed: Callable[[], object] = lambda: None) -> None:
        self._closed = closed
        # One for each run: a word that is written wakes nobody but the readers of its run.
        self._written = threading.Condition()
        self._last_id = 0
        if path.exists():
            # A line cut off by a crash is ended here; readers skip what they cannot parse.
            lines = path.read_bytes().split(b"\n")
            self._last_id = len(lines)
        self._file = path.open("ab")
        if self._last_id:
            self._file.write(b"\n")
            self._file.flush()
        self._size = self._file.tell()

    def write(self, name: str, data: Any) -> None:
        """Add one event; readers see it at once."""
        self._last_id += 1
        line = json.dumps([self._last_id, name, data], ensure_ascii=False, separators=(",", ":"))
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        with self._written:
            self._size = self._file.tell()
            self._written.notify_all()

    def wait_beyond(self, offset: int, most_s: float) -> None:
        """Wait until the file holds more than so many bytes, or nothing more is written to it."""
        with self._written:
            self._written.wait_for(lambda: self._size > offset or self._file.closed, most_s)

    def close(self) -> None:
        """No more events from this process."""
        self._closed()
        with self._written:
            self._file.close()
            self._written.notify_all()


def _parse(line: bytes) -> Event:
    try:
        number, name, data = json.loads(line)
    except ValueError:
        return Event(0, "", None)
    return Event(number, name, data)
