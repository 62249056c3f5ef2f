"""The audit log of a run: every host call a line, good enough to run it again byte for byte."""

import json
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from caravan import withheld

from marketplace.kernel.ids import RunId
from marketplace.sandbox import grants

VERSION = 1
SUFFIX = ".audit.jsonl"
CONTENTS = frozenset({"input", "payload", "answer"})
UNKNOWN = "unknown"


class AuditLogs:
    """The folder of audit logs, one append-only file of JSON lines for each run.

    Args:
        most_bytes: after so many bytes of a log, its further lines tell sizes and no contents.
    """

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def path(self, run_id: RunId) -> Path:
        """Where a run's log lies."""
        return self._folder / f"{run_id}{SUFFIX}"

    def open(self, run_id: RunId) -> "AuditWriter":
        """Begin a run's log, or go on with it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return AuditWriter(self.path(run_id), self._most_bytes)

    def lines(self, run_id: RunId) -> Iterator[dict[str, Any]]:
        """What a run's log holds; a line that a crash cut off is left out."""
        try:
            file = self.path(run_id).open("rb")
        except FileNotFoundError:
            return
        with file:
            for text in file:
                line = _parsed(text)
                if line is not None:
                    yield line

    def forget(self, run_id: RunId) -> None:
        """Delete a run's log."""
        self.path(run_id).unlink(missing_ok=True)

    def forget_older_than(self, seconds: float) -> int:
        """Delete the logs not touched for so long. Returns: how many."""
        before = time.time() - seconds
        old = [file for file in self._folder.glob(f"*{SUFFIX}") if file.stat().st_mtime < before]
        for file in old:
            file.unlink(missing_ok=True)
        return len(old)


class AuditWriter:
    """Appends the lines of one run; each is in the file before the app has its answer."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._file = path.open("ab", buffering=0)
        self._secrets: Collection[str] = ()
        before = self._file.tell()
        self._left_bytes = most_bytes - before
        if before and not path.read_bytes().endswith(b"\n"):
            self._file.write(b"\n")

    def begin(self, header: Mapping[str, Any], secrets: Collection[str] = ()) -> None:
        """The first line: what the run was given.

        Args:
            secrets: texts that stand in no line of this log, whatever the app does with them.
        """
        self._secrets = secrets
        self._append({"v": VERSION, **header})

    def call(self, line: dict[str, Any]) -> None:
        """One host call, as `sandbox.desk` tells it."""
        try:
            text = _dumped(withheld.without(self._secrets, line))
        except RecursionError:
            # So deep that it could just be read; what it was is told by its refusal.
            self._append(without_contents(line))
            return
        if len(text) <= self._left_bytes:
            self._write(text)
        else:
            self._append(without_contents(line))

    def end(self, kind: str, rule: str | None, **used: int) -> None:
        """The last line: how the run ended and what it took."""
        self._append({"end": {"kind": kind, **({"rule": rule} if rule else {}), **used}})

    @property
    def size_bytes(self) -> int:
        """How long the log is."""
        return self._file.tell()

    def close(self) -> None:
        """No more lines from this process."""
        self._file.close()

    def _append(self, line: Mapping[str, Any]) -> None:
        self._write(_dumped(line))

    def _write(self, text: bytes) -> None:
        self._left_bytes -= len(text)
        self._file.write(text)


def without_contents(line: Mapping[str, Any]) -> dict[str, Any]:
    """One line with sizes in place of contents.

    The person's input, what the app sent and what it was answered become numbers of bytes; the
    operation, the time and a refusal stay.
    """
    return {
        (f"{name}_bytes" if name in CONTENTS else name): (
            _size(value) if name in CONTENTS else value
        )
        for name, value in line.items()
    }


def for_others(line: Mapping[str, Any]) -> dict[str, Any]:
    """One line as all but the run's person may read it: nothing in it was written by the app."""
    shown = without_contents(line)
    if "op" in shown and shown["op"] not in grants.OPS:
        shown["op"] = UNKNOWN
    if "refused" in shown:
        shown["refused"] = {"code": shown["refused"]["code"]}
    return shown


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _size(value: Any) -> int:
    try:
        return len(json.dumps(value, separators=(",", ":")))
    except RecursionError:
        return -1


def _dumped(line: Mapping[str, Any]) -> bytes:
    # ASCII: what an app sends may hold halves of characters, which UTF-8 cannot say.
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"
