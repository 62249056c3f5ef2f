"""Budgets: no row of small runs gets more than the hour's allowance, and waiting helps."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from marketplace.sandbox import budgets
from marketplace.sandbox.budgets import NAMES, SLOT_S, SLOTS, Amounts

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALLOWED = Amounts(*([1000] * len(NAMES)))
SOME = st.integers(0, 600)
AMOUNTS = st.builds(Amounts, *([SOME] * len(NAMES)))
# Seconds since the run before ended, and what the next one would like to use.
RUNS = st.lists(st.tuples(st.integers(0, 2000), AMOUNTS), max_size=60)


def spend(runs: list[tuple[int, Amounts]]) -> list[tuple[int, Amounts]]:
    """Run after run, each with what is left; the slot and the use of those that began."""
    slots: dict[int, Amounts] = {}
    now, charged = NOON, []
    for pause_s, wish in runs:
        now += timedelta(seconds=pause_s)
        slot = budgets.slot_of(now)
        left = ALLOWED.without(budgets.used(slots, slot))
        if left.exhausted is None:
            use = wish.least(left)
            slots[slot] = slots.get(slot, Amounts()) + use
            charged.append((slot, use))
    return charged


@given(RUNS)
def test_no_hour_holds_more_than_is_allowed(runs: list[tuple[int, Amounts]]) -> None:
    charged = spend(runs)
    for end, _ in charged:
        hour = [use for slot, use in charged if end - SLOTS < slot <= end]
        for name in NAMES:
            assert sum(getattr(use, name) for use in hour) <= getattr(ALLOWED, name)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=80))
def test_small_runs_get_no_more_than_one_large_one(pieces: list[int]) -> None:
    many = spend([(0, Amounts(llm_tokens=piece)) for piece in pieces])
    assert sum(use.llm_tokens for _, use in many) == min(1000, sum(pieces))


SLOTTED = st.dictionaries(st.integers(-15, 0), AMOUNTS.map(lambda each: each.times(3)), max_size=14)


@given(SLOTTED, st.integers(0, SLOT_S - 1))
def test_after_the_wait_something_is_left_and_not_a_second_before(
    relative: dict[int, Amounts], second: int
) -> None:
    now = NOON + timedelta(seconds=second)
    slots = {budgets.slot_of(NOON) + number: use for number, use in relative.items()}
    wait_s = budgets.wait_s(slots, ALLOWED, now)
    assert 0 <= wait_s <= SLOTS * SLOT_S
    then = budgets.slot_of(now + timedelta(seconds=wait_s))
    assert ALLOWED.without(budgets.used(slots, then)).exhausted is None
    if wait_s:
        before = budgets.slot_of(now + timedelta(seconds=wait_s - 1))
        assert ALLOWED.without(budgets.used(slots, before)).exhausted is not None


def test_an_allowance_of_nothing_is_never_worth_waiting_for() -> None:
    assert budgets.wait_s({}, Amounts(), NOON) == SLOTS * SLOT_S


def test_what_lies_an_hour_back_counts_no_more() -> None:
    slot = budgets.slot_of(NOON)
    slots = {slot: ALLOWED}
    assert budgets.used(slots, slot + SLOTS - 1) == ALLOWED
    assert budgets.used(slots, slot + SLOTS) == Amounts()
    assert budgets.wait_s(slots, ALLOWED, NOON) == SLOTS * SLOT_S


@given(AMOUNTS, AMOUNTS)
def test_amounts_are_counted_thing_by_thing(one: Amounts, other: Amounts) -> None:
    for name in NAMES:
        a, b = getattr(one, name), getattr(other, name)
        assert getattr(one + other, name) == a + b
        assert getattr(one.without(other), name) == max(0, a - b)
        assert getattr(one.least(other), name) == min(a, b)
        assert getattr(one.times(3), name) == 3 * a
