"""Counts the inputs that `make fuzz` has tried, property by property: `pytest -p tests.fuzzing`."""

import functools
from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest

tried: Counter[str] = Counter()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Count each input that reaches the body of a property."""
    handle = getattr(getattr(item, "obj", None), "hypothesis", None)
    if handle is None:
        return (yield)
    inner = handle.inner_test

    @functools.wraps(inner)
    def counted(*given: Any, **named: Any) -> Any:
        tried[item.nodeid] += 1
        return inner(*given, **named)

    handle.inner_test = counted
    try:
        return (yield)
    finally:
        handle.inner_test = inner


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table, and its sum."""
    terminalreporter.section("inputs tried")
    for name, count in sorted(tried.items()):
        terminalreporter.write_line(f"{count:9,}  {name}")
    terminalreporter.write_line(f"{tried.total():9,}  in all")
