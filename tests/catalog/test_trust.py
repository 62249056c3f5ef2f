"""How far ratings and flags are believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.catalog import trust

COUNT = st.integers(0, 10_000)


@pytest.mark.parametrize(
    ("in_window", "in_usual", "expected"),
    [(5, 0, False), (6, 0, True), (6, 30, True), (6, 3000, False), (40, 3000, True), (1, 0, False)],
)
def test_a_burst_is_more_than_chance_brings(
    in_window: int, in_usual: int, *, expected: bool
) -> None:
    assert trust.is_burst(in_window, in_usual) is expected


@given(st.integers(0, 60), COUNT)
def test_more_ratings_in_the_hour_are_never_less_of_a_burst(in_window: int, usual: int) -> None:
    assert trust.is_burst(in_window, usual) <= trust.is_burst(in_window + 1, usual)


@given(st.integers(0, 60), COUNT, COUNT)
def test_a_busier_app_is_never_quicker_in_a_burst(in_window: int, usual: int, more: int) -> None:
    assert trust.is_burst(in_window, usual) >= trust.is_burst(in_window, usual + more)


@given(COUNT, COUNT)
def test_who_is_right_may_flag_more_and_who_is_wrong_less(upheld: int, rejected: int) -> None:
    assert 0 < trust.accuracy(upheld, rejected) < 1
    now = trust.flags_a_week(upheld, rejected)
    assert 1 <= now <= trust.flags_a_week(upheld + 1, rejected) <= trust.MOST_FLAGS_A_WEEK
    assert trust.flags_a_week(upheld, rejected + 1) <= now


def test_the_worked_numbers_hold() -> None:
    assert trust.accuracy(3, 1) == pytest.approx(0.67, abs=0.005)
    assert trust.flags_a_week(0, 0) == 6
    assert trust.is_held([0.5] * 4)
    assert not trust.is_held([0.5] * 3)
    assert trust.is_held([0.7] * 3)
