"""Keeps processes running: starts them together, restarts what dies, stops them in order."""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

import structlog

GRACE_S = 8.0
RESTART_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
STABLE_S = 30.0
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
FORK = multiprocessing.get_context("fork")

log = structlog.get_logger()

Body = Callable[[], None]


class Forked:
    """A function in a process forked from this one, which goes on from the code read already.

    Reading the store's code takes seconds; a part that died is back without them.
    """

    def __init__(self, body: Body, name: str) -> None:
        self._process: BaseProcess = FORK.Process(target=_alone, args=(body, name), name=name)
        self._process.start()
        self.pid: int = self._process.pid or 0

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def wait(self, timeout: float | None = None) -> None:
        """Wait for its end. Raises: subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if timeout is not None and self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)


def _alone(body: Body, name: str) -> None:
    # The signals meant for the supervisor are its own; the part sets what it listens to.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    _die_with_parent()
    if sys.platform == "linux":
        # What `ps -o comm` and `top` show; the command line is the supervisor's.
        ctypes.CDLL(None).prctl(PR_SET_NAME, f"caravan {name}".encode())
    body()


@dataclass
class Part:
    """One process to keep running.

    Args:
        work: argv, or a function to fork for.
        pause_s: how long to wait before the next restart; grows while it keeps dying.
    """

    name: str
    work: Sequence[str] | Body
    process: subprocess.Popen[bytes] | Forked | None = None
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
        parts: name → argv or function, started in this order and stopped in the reverse. For a
            function this process is forked, so it must hold no thread and no connection then.
    """

    def __init__(self, parts: Mapping[str, Sequence[str] | Body]) -> None:
        self._parts = [Part(name, work) for name, work in parts.items()]

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
        if callable(part.work):
            part.process = Forked(part.work, part.name)
        else:
            part.process = subprocess.Popen(
                list(part.work),
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  (the supervisor has no threads)
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
