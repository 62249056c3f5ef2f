"""The formulas of the store's order: more of a bad signal never ranks higher."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.catalog import ranking
from marketplace.catalog.search_index import Tier

PEOPLE = st.integers(0, 10**7)
STARS = st.floats(ranking.WORST, ranking.BEST)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ranking.rating_average(5, 1, store_average=4), 4.09),
        (ranking.rating_average(500, 100, store_average=4), 4.91),
        (ranking.prior(1000, 4), 10.97),
        (ranking.trend(40, 20), 0.61),
        (ranking.interest([0, 14]), 1.5),
        (ranking.likeness(11, 100, 25, is_same_shelf=True, rating=3), 0.18),
        (ranking.closeness(0.87, usual=0.75), 0.48),
        (ranking.closeness(0.5, usual=0.04), 0.48),
        (ranking.blended(Tier.TEXT, 0.5, 2), 6),
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


DAYS = st.lists(st.integers(0, 400), max_size=30)


@given(DAYS, st.integers(0, 400), st.integers(1, 400))
def test_interest_grows_with_days_and_fades_with_time(
    days: list[int], day: int, later: int
) -> None:
    before = ranking.interest(days)
    assert ranking.interest([*days, day]) >= before
    assert ranking.interest([*days, day, day, day]) == ranking.interest([*days, day])
    assert ranking.interest([each + later for each in days]) <= before


SHELF = st.sampled_from(("its own", "another"))


def likeness(shared: int, asked: int, people: int, shelf: str, rating: float) -> float:
    return ranking.likeness(shared, asked, people, is_same_shelf=shelf == "its own", rating=rating)


@given(PEOPLE, PEOPLE, PEOPLE, PEOPLE, SHELF, STARS, STARS)
def test_a_likeness_grows_with_people_in_common_and_shrinks_with_people_elsewhere(
    shared: int, more: int, asked: int, people: int, shelf: str, worse: float, better: float
) -> None:
    worse, better = sorted((worse, better))
    found = likeness(shared, asked, people, shelf, worse)
    assert 0 <= found < 1.2 * (1 + ranking.SAME_SHELF)
    assert likeness(shared + more, asked + more, people + more, shelf, worse) >= found - 1e-12
    assert likeness(shared, asked + more, people, shelf, worse) <= found
    assert likeness(shared, asked, people + more, shelf, worse) <= found
    assert likeness(shared, asked, people, "another", worse) <= found
    assert found <= likeness(shared, asked, people, shelf, better)


@given(PEOPLE, PEOPLE, SHELF, STARS)
def test_one_account_makes_nothing_alike(
    asked: int, people: int, shelf: str, rating: float
) -> None:
    assert likeness(1, asked, people, shelf, rating) == likeness(0, asked, people, shelf, rating)


CLOSENESS = st.floats(0, 1)
COSINE = st.floats(-1, 1)


@given(COSINE, COSINE, COSINE)
def test_closeness_grows_with_the_cosine_and_not_with_what_is_usual(
    cosine: float, nearer: float, usual: float
) -> None:
    cosine, nearer = sorted((cosine, nearer))
    found = ranking.closeness(cosine, usual=usual)
    assert 0 <= found <= ranking.closeness(nearer, usual=usual) <= 1
    assert ranking.closeness(usual, usual=usual) == 0
    assert found >= ranking.closeness(cosine, usual=max(usual, nearer))


@given(st.dictionaries(st.integers(), CLOSENESS))
def test_only_what_is_near_counts_and_the_nearest_first_of_all(near: dict[int, float]) -> None:
    found = ranking.only_near(near)
    assert all(value >= ranking.NEAR for value in found.values())
    nearest = max(near.values(), default=0)
    assert (nearest in found.values()) == (nearest >= ranking.NEAR)
    assert all(value >= ranking.NEAR_SHARE * nearest for value in found.values())


@given(st.sampled_from(Tier), st.sampled_from(Tier), CLOSENESS, CLOSENESS, PEOPLE, STARS)
def test_a_place_never_falls_with_better_words_or_a_nearer_meaning(
    words: Tier, better: Tier, near: float, nearer: float, people: int, rating: float
) -> None:
    (words, better), (near, nearer) = sorted((words, better)), sorted((near, nearer))
    prior = ranking.prior(people, rating)
    place = ranking.blended(words, near, prior)
    assert place <= ranking.blended(better, near, prior)
    assert place <= ranking.blended(words, nearer, prior)


@given(CLOSENESS, st.sampled_from([Tier.NAME, Tier.SUMMARY, Tier.TEXT]), PEOPLE, STARS)
def test_no_meaning_beats_the_name_itself(
    near: float, words: Tier, people: int, rating: float
) -> None:
    itself = ranking.blended(Tier.NAME_ITSELF, 0, ranking.prior(0, 1))
    assert ranking.blended(words, near, ranking.prior(people, rating)) < itself
