"""An asyncio loop for the one thread there is: timers and coroutines, no files, no network."""

# ruff: noqa: SLF001  (asyncio keeps its loop factory private)

import asyncio
import time
from typing import Any


class Timers:
    """Stands for the selector: with nothing to listen to, it waits for the next timer."""

    def select(self, timeout: float | None) -> list[Any]:
        """Wait `timeout` seconds. Raises: RuntimeError where nothing could ever happen."""
        if timeout is None:
            raise RuntimeError("deadlock: every task waits, and no timer is set")
        if timeout > 0:
            time.sleep(timeout)
        return []


class TimerLoop(asyncio.BaseEventLoop):
    """What `asyncio.run` uses inside an app."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = Timers()

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no events."""

    def _write_to_self(self) -> None:
        """There is no other thread to wake this one."""


def install() -> None:
    """Make it the loop of `asyncio.run` and `asyncio.new_event_loop`."""
    policy = asyncio.unix_events._UnixDefaultEventLoopPolicy
    policy._loop_factory = TimerLoop
