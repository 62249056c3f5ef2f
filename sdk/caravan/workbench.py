"""The store's real sandbox, where it is installed; the app's calls are answered by this process."""

import atexit
import base64
import functools
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from caravan.errors import CaravanError, HostError

MODULE = "marketplace.sandbox.workbench"
STARTED_AT = "2026-01-01T00:00:00+00:00"
ABSENT = (
    "The real sandbox is part of the store, which is not installed here. What runs without it is "
    "checked by the store all the same, when you publish."
)
Answer = Callable[[str, dict[str, Any]], Any]
Told = Callable[[dict[str, Any]], Mapping[str, Any]]


class NoSandbox(CaravanError):
    """This machine has the SDK alone, or the sandbox could not start."""

    code = "sandbox.absent"


@dataclass(frozen=True)
class WasmJob:
    """One run of an app's files.

    Args:
        code: the release's files by path.
        seed: what the run's randomness follows from.
        limits: the manifest's [limits].
    """

    code: Mapping[str, bytes]
    entry: str
    action: str
    values: Mapping[str, Any]
    grants: frozenset[str]
    limits: Mapping[str, int | None] = field(default_factory=dict)
    locale: str = "en"
    seed: int = 1
    started_at: str = STARTED_AT


@dataclass(frozen=True)
class Timed:
    """An answer after which the app's clock shows `at_ms` since the run's start."""

    value: Any
    at_ms: int
    refused: Mapping[str, str] | None = None


def is_here() -> bool:
    """Whether the store's package is installed beside the SDK."""
    return importlib.util.find_spec("marketplace") is not None


class Workbench:
    """One process with a warm sandbox; it performs one job after the other."""

    def __init__(self) -> None:
        if not is_here():
            raise NoSandbox(ABSENT)
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE, str(cache_dir())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._hear()

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            self._process.stdin.close()
        if self._process.stdout:
            self._process.stdout.close()
        self._process.wait()

    def describe(self, code: Mapping[str, bytes], entry: str) -> dict[str, Any]:
        """`{"actions"}`, or `{"outcome"}` with why the app cannot be imported."""
        with self._lock:
            self._say({"command": "describe", "code": _packed(code), "entry": entry})
            return self._hear()

    def run(self, job: WasmJob, answer: Answer, told: Told = lambda _: {}) -> dict[str, Any]:
        """Run one job to its end; the outcome as the sandbox tells it.

        Args:
            answer: gives what the store would; it may raise HostError, or return a Timed.
            told: hears of each call that the sandbox itself refused or ended the run with, as a
                line of the audit log; what it returns may hold `at_ms`.
        """
        asked = {
            "command": "run",
            "code": _packed(job.code),
            "entry": job.entry,
            "action": job.action,
            "input": dict(job.values),
            "seed": job.seed,
            "started_at": job.started_at,
            "locale": job.locale,
            "grants": sorted(job.grants),
            "limits": dict(job.limits),
        }
        with self._lock:
            self._say(asked)
            while "outcome" not in (line := self._hear()):
                if "told" in line:
                    self._say(told(line["told"]))
                else:
                    self._say(_answered(answer, line["op"], line["payload"]))
            return line

    def _say(self, line: Mapping[str, Any]) -> None:
        if self._process.stdin is None:
            raise NoSandbox("The sandbox has no input.")
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        text = self._process.stdout.readline() if self._process.stdout else ""
        if not text:
            raise NoSandbox("The sandbox has ended; what it said is above.")
        line: dict[str, Any] = json.loads(text)
        return line


def _answered(answer: Answer, op: str, payload: dict[str, Any]) -> dict[str, Any]:
    try:
        value = answer(op, payload)
    except HostError as refused:
        return {"refused": {"code": refused.code, "message": refused.message}}
    if not isinstance(value, Timed):
        return {"answer": value}
    if value.refused:
        return {"refused": dict(value.refused), "at_ms": value.at_ms}
    return {"answer": value.value, "at_ms": value.at_ms}


def _packed(code: Mapping[str, bytes]) -> dict[str, str]:
    return {path: base64.b64encode(data).decode() for path, data in code.items()}


def cache_dir() -> Path:
    """Where this user's stores keep the built runtime too; CARAVAN_RUNTIME_CACHE moves it."""
    if given := os.environ.get("CARAVAN_RUNTIME_CACHE"):
        return Path(given)
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "caravan"


@functools.cache
def shared() -> Workbench:
    """One workbench for this process, ended with it. Raises: NoSandbox."""
    made = Workbench()
    atexit.register(made.close)
    return made
