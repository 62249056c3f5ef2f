"""Limits: nothing exceeds the ceiling, everything is counted, each has its sentence."""

from dataclasses import asdict, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.sandbox.limits import (
    SHOWN,
    SMALLEST_MEMORY_BYTES,
    UNITS,
    Spent,
    clamp,
    sentence,
)
from marketplace.sandbox.ports import Limits
from marketplace.sandbox.settings import SandboxSettings
from tests.factories.sandbox import limits

SETTINGS = SandboxSettings()
NAMES = [each.name for each in fields(Limits)]


@given(st.dictionaries(st.sampled_from([*UNITS, "llm_tokens"]), st.integers(-5, 10**12)))
def test_clamped_limits_lie_between_one_and_the_ceiling(asked: dict[str, int]) -> None:
    found = clamp(asked, usual=SETTINGS.usual, ceiling=SETTINGS.ceiling)
    for name in NAMES:
        assert 1 <= getattr(found, name) <= getattr(SETTINGS.ceiling, name)
    assert found.memory_bytes >= SMALLEST_MEMORY_BYTES


@given(st.dictionaries(st.sampled_from([*UNITS]), st.integers(1, 10**12)))
def test_what_is_not_asked_for_stays_usual(asked: dict[str, int]) -> None:
    found = clamp(asked, usual=SETTINGS.usual, ceiling=SETTINGS.ceiling)
    changed = {UNITS[name][0] for name in asked}
    for name in set(NAMES) - changed:
        assert getattr(found, name) == getattr(SETTINGS.usual, name)


def test_units_of_the_manifest_become_ours() -> None:
    asked = {"wall_s": 90, "cpu_ms": 7, "memory_mb": 50, "output_kb": 2, "host_calls": 3}
    found = clamp(asked, usual=SETTINGS.usual, ceiling=SETTINGS.ceiling)
    assert asdict(found) == {
        "wall_ms": 90_000,
        "cpu_ms": 7,
        "memory_bytes": 50 * 2**20,
        "output_bytes": 2048,
        "host_calls": 3,
    }


CALLS = st.lists(
    st.tuples(st.sampled_from(["kv.get", "files.read", *SHOWN]), st.integers(0, 100)),
    max_size=40,
)


@given(CALLS, st.integers(1, 30), st.integers(1, 1000))
def test_a_rule_breaks_exactly_when_a_sum_exceeds_its_limit(
    calls: list[tuple[str, int]], most_calls: int, most_bytes: int
) -> None:
    spent = Spent(limits(host_calls=most_calls, output_bytes=most_bytes))
    for count, (op, size) in enumerate(calls, 1):
        broken = spent.take(op, size)
        written = sum(each for name, each in calls[:count] if name in SHOWN)
        assert (spent.host_calls, spent.output_bytes) == (count, written)
        if count > most_calls:
            assert broken == "limit.host_calls"
        else:
            assert broken == ("limit.output" if written > most_bytes else None)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("limit.wall", "took longer than the 20 s"),
        ("limit.cpu", "computed longer than the 5 s"),
        ("limit.memory", "more memory than the 64 MB"),
        ("limit.output", "more than the 64 KB"),
        ("limit.host_calls", "more often than the 500 times"),
    ],
)
def test_each_limit_has_a_sentence_with_its_number(rule: str, words: str) -> None:
    assert words in sentence(rule, limits())


def test_a_rule_that_is_no_limit_has_no_sentence() -> None:
    with pytest.raises(ValueError, match=r"app\.error is not"):
        sentence("app.error", limits())
