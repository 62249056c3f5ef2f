"""The event log of a run: a file that one process writes and any process may follow."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any, Self

from marketplace.kernel.ids import RunId
from marketplace.runs import audit
from marketplace.web.sse import Event

# How often a reader looks for what another process writes: soon while a run begins.
FIRST_POLL_S, FIRST_S = 0.005, 1.0
POLL_S = 0.03
# How often in a second all runs of a process tell words, and all its readers look for them;
# where there are many, each gathers more words, and looks for more.
MOST_PER_S = 400
LONGEST_PAUSE_S = 0.5
HEARTBEAT_S = 2.0
LAST = "done"
STOPS = "stops"


class EventLogs:
    """The folder of event logs, one file of JSON lines for each run.

    A file and not a table: a stream of tokens would be a database write each, and a reader in
    another process, or one that comes back after a lost connection, only has to read on.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[RunId, EventWriter] = {}
        self._readers = 0
        self._counting = threading.Lock()

    def path(self, run_id: RunId) -> Path:
        """Where a run's log lies."""
        return self._folder / f"{run_id}.jsonl"

    def stop_path(self, run_id: RunId) -> Path:
        """The file whose presence asks the process that runs it to stop."""
        return self._folder / STOPS / str(run_id)

    def asked_to_stop(self) -> set[str]:
        """The ids of all runs that somebody wants to stop."""
        try:
            return {path.name for path in (self._folder / STOPS).iterdir()}
        except FileNotFoundError:
            return set()

    def open(self, run_id: RunId) -> "EventWriter":
        """Begin (or, after a crash, go on with) a run's log."""
        self._folder.mkdir(parents=True, exist_ok=True)
        writer = EventWriter(
            self.path(run_id), partial(self._writers.pop, run_id, None), self.gathering_s
        )
        self._writers[run_id] = writer
        return writer

    def ask_to_stop(self, run_id: RunId) -> None:
        """Leave word for the process that runs it, whichever that is."""
        path = self.stop_path(run_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def follow(
        self, run_id: RunId, *, after: int, is_over: Callable[[], bool]
    ) -> Iterator[Event | None]:
        """The events after the one numbered `after`, as they are written; None while waiting.

        Args:
            is_over: asked after two silent seconds; when true, the log is read a last time and
                the stream ends even without a `done` event.
        """
        self._count(1)
        try:
            with _Tail(self.path(run_id)) as tail:
                yield from self._followed(run_id, tail, after, is_over)
        finally:
            self._count(-1)

    def _followed(
        self, run_id: RunId, tail: "_Tail", after: int, is_over: Callable[[], bool]
    ) -> Iterator[Event | None]:
        began = silent_since = time.monotonic()
        over = False
        while True:
            lines = tail.lines()
            for line in lines:
                event = _parse(line)
                if event.id > after:
                    yield event
                if event.name == LAST:
                    return
            now = time.monotonic()
            if lines:
                silent_since = now
                continue
            if over:
                return
            if now - silent_since > HEARTBEAT_S:
                silent_since, over = now, is_over()
                yield None
                continue
            if writer := self._writers.get(run_id):
                writer.wait_beyond(tail.offset, HEARTBEAT_S)
            else:
                # Another process writes it, or this one is about to begin.
                time.sleep(self._poll_s(now - began))

    def _count(self, more: int) -> None:
        with self._counting:
            self._readers += more

    def _poll_s(self, followed_s: float) -> float:
        soon = FIRST_POLL_S if followed_s < FIRST_S else POLL_S
        return max(soon, _pause_s(self._readers))

    def gathering_s(self) -> float:
        """How long a run gathers words now before it tells them; the more run, the longer."""
        return _pause_s(len(self._writers))

    def forget(self, run_id: RunId) -> None:
        """Delete all that lies here of one run, which must be over."""
        for path in (self.path(run_id), self.stop_path(run_id)):
            path.unlink(missing_ok=True)

    def forget_older_than(self, seconds: float) -> int:
        """Delete the files not touched for so long. Returns: how many."""
        before = time.time() - seconds
        old = [
            file
            for kind in (f"{STOPS}/*", "*.jsonl")
            for file in self._folder.glob(kind)
            if not file.name.endswith(audit.SUFFIX) and file.stat().st_mtime < before
        ]
        for file in old:
            file.unlink(missing_ok=True)
        return len(old)


class _Tail:
    """What is added to a file, line by line; the file need not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._pending = b""
        self.offset = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._file is not None:
            self._file.close()

    def lines(self) -> list[bytes]:
        """The whole lines that have come since."""
        if self._file is None:
            try:
                self._file = FileIO(self._path)
            except FileNotFoundError:
                return []
        read = self._file.readall()
        self.offset += len(read)
        *lines, self._pending = (self._pending + read).split(b"\n")
        return lines


class EventWriter:
    """Appends the events of one run.

    Args:
        closed: called when it writes no more.
        gathering_s: see `EventLogs.gathering_s`.
    """

    def __init__(
        self,
        path: Path,
        closed: Callable[[], object] = lambda: None,
        gathering_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._closed = closed
        self.gathering_s = gathering_s
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


def _pause_s(many: int) -> float:
    """How long each of so many waits so that together they do not act too often."""
    return min(many / MOST_PER_S, LONGEST_PAUSE_S)


def _parse(line: bytes) -> Event:
    try:
        number, name, data = json.loads(line)
    except ValueError:
        return Event(0, "", None)
    return Event(number, name, data)
