"""Tries the properties of `make fuzz` for a bounded time, and counts the inputs of each.

`pytest -p tests.fuzzing`: CARAVAN_FUZZ_S seconds are shared out over the properties. What one does
not need is the others', and one that has failed may look for its smallest input beyond its time.
"""

import functools
import os
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis.errors import FlakyStrategyDefinition, UnsatisfiedAssumption

tried: Counter[str] = Counter()


class Enough(pytest.skip.Exception):
    """The property's time is over; hypothesis lets this pass through at once."""


@dataclass
class Hours:
    """The time of one `make fuzz`, and how many properties still wait for theirs."""

    seconds: float
    began_at: float = 0.0
    waiting: int = 1

    def until(self, now: float) -> float:
        """When the property that begins now has had its share."""
        share_s = max(0.0, self.began_at + self.seconds - now) / max(1, self.waiting)
        self.waiting -= 1
        return now + share_s


hours = Hours(float(os.environ.get("CARAVAN_FUZZ_S", "1200")))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to count the time."""
    hours.began_at, hours.waiting = time.monotonic(), len(session.items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Count each input that reaches the body of a property, and end with its share of time."""
    until = hours.until(time.monotonic())
    handle = getattr(getattr(item, "obj", None), "hypothesis", None)
    if handle is None:
        return (yield)
    inner = handle.inner_test
    handle.inner_test = body = counted(inner, item.nodeid, until)
    try:
        return (yield)
    except Enough:
        return None
    except FlakyStrategyDefinition:
        # An input that hypothesis had begun before, and that was now over before it had drawn.
        if not body.is_over:
            raise
        return None
    finally:
        handle.inner_test = inner


def counted(
    inner: Callable[..., Any], name: str, until: float, clock: Callable[[], float] = time.monotonic
) -> Any:
    """The body of a property that counts its inputs, and stops after `until` unless it failed."""
    has_failed = False

    @functools.wraps(inner)
    def call(*given: Any, **named: Any) -> Any:
        nonlocal has_failed
        if clock() > until and not has_failed:
            body.is_over = True
            raise Enough
        tried[name] += 1
        try:
            return inner(*given, **named)
        except UnsatisfiedAssumption:
            raise
        except Exception:
            has_failed = True
            raise

    body: Any = call
    body.is_over = False
    return body


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table, and its sum."""
    terminalreporter.section(f"inputs tried in {time.monotonic() - hours.began_at:,.0f} s")
    for name, count in sorted(tried.items()):
        terminalreporter.write_line(f"{count:9,}  {name}")
    terminalreporter.write_line(f"{tried.total():9,}  in all")
