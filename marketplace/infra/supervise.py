"""Keeps processes running: starts them together, restarts what dies, stops them in order."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

GRACE_S = 8.0
RESTART_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
STABLE_S = 30.0
PR_SET_PDEATHSIG = 1

log = structlog.get_logger()


@dataclass
class Part:
    """One process to keep running.

    Args:
        command: argv.
        pause_s: how long to wait before the next restart; grows while it keeps dying.
    """

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause_s: float = RESTART_PAUSE_S
    restart_at: float = field(default=0.0)


def _die_with_parent() -> None:
    # A supervisor killed with -9 must not leave orphans that hold sockets and the model.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Runs parts until told to stop.

    Args:
        parts: name → argv, started in this order and stopped in the reverse.
        environment: what every part gets besides our own environment.
    """

    def __init__(
        self, parts: Mapping[str, Sequence[str]], environment: Mapping[str, str] | None = None
    ) -> None:
        self._parts = [Part(name, command) for name, command in parts.items()]
        self._environment = {**os.environ, **(environment or {})}

    def run(self, stop: threading.Event) -> None:
        """Start everything, restart what ends, and on `stop` end everything."""
        for part in self._parts:
            self._start(part)
        try:
            while not stop.wait(0.1):
                for part in self._parts:
                    self._look_after(part)
        finally:
            self._end_all()

    def _start(self, part: Part) -> None:
        part.process = subprocess.Popen(
            list(part.command),
            env=self._environment,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509  (no threads run yet in the supervisor)
        )
        part.started_at = time.monotonic()

    def _look_after(self, part: Part) -> None:
        now = time.monotonic()
        if part.process is not None:
            status = part.process.poll()
            if status is None:
                if now - part.started_at > STABLE_S:
                    part.pause_s = RESTART_PAUSE_S
                return
            log.error("part.ended", part=part.name, status=status, restart_in_s=part.pause_s)
            part.process = None
            part.restart_at = now + part.pause_s
            part.pause_s = min(part.pause_s * 2, LONGEST_PAUSE_S)
        elif now >= part.restart_at:
            self._start(part)

    def _end_all(self) -> None:
        for part in reversed(self._parts):
            if part.process is not None:
                part.process.terminate()
        deadline = time.monotonic() + GRACE_S
        for part in reversed(self._parts):
            if part.process is None:
                continue
            try:
                part.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("part.killed", part=part.name)
                os.killpg(part.process.pid, signal.SIGKILL)
                part.process.wait()
