"""Ids: of the right kind, never the same twice, and in the order of time."""

import time
from uuid import RFC_4122

import pytest

from marketplace.kernel.ids import new_id


def test_an_id_is_a_uuid_of_version_seven() -> None:
    made = new_id()
    assert made.variant == RFC_4122
    assert made.version == 7


def test_an_id_begins_with_its_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_772_366_400_123_456_789)
    assert new_id().int >> 80 == 1_772_366_400_123


def test_later_ids_sort_later(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for second in range(1_000):
        monkeypatch.setattr(time, "time_ns", lambda at=second: at * 10**9)
        made.append(new_id())
    assert made == sorted(made)


def test_ids_of_one_millisecond_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert len({new_id() for _ in range(10_000)}) == 10_000
