"""The formulas of the store's order: more of a bad signal never ranks higher."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.catalog import ranking

PEOPLE = st.integers(0, 10**7)
STARS = st.floats(ranking.WORST, ranking.BEST)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ranking.rating_average(5, 1, store_average=4), 4.09),
        (ranking.rating_average(500, 100, store_average=4), 4.91),
        (ranking.prior(1000, 4), 10.97),
        (ranking.trend(40, 20), 0.61),
    ],
)
def test_the_worked_numbers_hold(value: float, expected: float) -> None:
    assert value == pytest.approx(expected, abs=0.006)


@given(st.lists(st.integers(1, 5), max_size=50), STARS)
def test_an_average_stays_between_what_it_is_made_of(stars: list[int], average: float) -> None:
    found = ranking.rating_average(sum(stars), len(stars), store_average=average)
    assert min([average, *stars]) - 1e-9 <= found <= max([average, *stars]) + 1e-9


@given(st.lists(st.integers(1, 5), max_size=50), STARS)
def test_a_worse_rating_never_raises_the_average(stars: list[int], average: float) -> None:
    before = ranking.rating_average(sum(stars), len(stars), store_average=average)
    after = ranking.rating_average(sum(stars) + 1, len(stars) + 1, store_average=average)
    better = ranking.rating_average(sum(stars) + 5, len(stars) + 1, store_average=average)
    assert after <= before + 1e-9
    assert after < better


@given(PEOPLE, PEOPLE, STARS, STARS)
def test_the_prior_grows_with_people_and_with_rating(
    few: int, more: int, worse: float, better: float
) -> None:
    few, more = sorted((few, more))
    worse, better = sorted((worse, better))
    assert ranking.prior(few, worse) <= ranking.prior(more, worse)
    assert ranking.prior(more, worse) <= ranking.prior(more, better)


@given(st.integers(0, 10**5), st.integers(0, 10**5), st.integers(0, 10**5))
def test_a_trend_grows_with_this_week_and_shrinks_with_the_weeks_before(
    recent: int, more: int, baseline: int
) -> None:
    before = ranking.trend(recent, baseline)
    assert 0 <= before < 1
    assert ranking.trend(recent + more, baseline) >= before
    assert ranking.trend(recent, baseline + more) <= before


@given(st.integers(0, 10**5), st.integers(0, 10**5))
def test_one_account_moves_a_trend_by_little(recent: int, baseline: int) -> None:
    step = ranking.trend(recent + 1, baseline) - ranking.trend(recent, baseline)
    assert 0 <= step < 0.05
