"""The auction: who wins, what they pay, and that it can be run again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.ads import auction
from marketplace.ads.auction import Candidate, Pricing, Result

DOLLAR = 1_000_000
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        key=st.uuids().map(str),
        pricing=st.sampled_from(Pricing),
        bid_micros=st.integers(1, 50 * DOLLAR),
        views=st.integers(0, 10_000),
        clicks=st.integers(0, 300),
    ),
    max_size=6,
    unique_by=lambda candidate: candidate.key,
)
DRAWS = st.floats(0, 1, exclude_max=True)


def cpm(key: str, bid_micros: int) -> Candidate:
    return Candidate(key, Pricing.CPM, bid_micros)


def test_the_higher_bid_wins_and_pays_just_more_than_the_second() -> None:
    rivals = [cpm("low", 1_500_000), cpm("high", 2_500_000)]
    assert auction.run(rivals, draw=0.5) == Result("high", 1_500)


def test_alone_a_flight_pays_the_reserve() -> None:
    assert auction.run([cpm("only", 2_500_000)], draw=0) == Result("only", 10)


def test_a_bid_below_the_reserve_wins_nothing() -> None:
    assert auction.run([cpm("cheap", 9_999)], draw=0) is None
    assert auction.run([], draw=0) is None


@pytest.mark.parametrize(("draw", "winner"), [(0.0, "a"), (0.49, "a"), (0.5, "b"), (0.99, "b")])
def test_equals_are_chosen_by_the_draw_and_pay_their_bid(draw: float, winner: str) -> None:
    assert auction.run([cpm("b", DOLLAR), cpm("a", DOLLAR)], draw=draw) == Result(winner, 1_000)


def test_a_click_is_priced_by_what_a_thousand_views_of_it_bring() -> None:
    # 1 % of views are clicked: 0.50 a click is 5.00 for a thousand views, above 2.00.
    clicky = Candidate("clicky", Pricing.CPC, 500_000)
    result = auction.run([clicky, cpm("views", 2 * DOLLAR)], draw=0)
    assert result == Result("clicky", 200_001)


def test_a_flight_that_people_click_more_often_beats_an_equal_bid() -> None:
    loved = Candidate("loved", Pricing.CPC, 100_000, views=1000, clicks=50)
    ignored = Candidate("ignored", Pricing.CPC, 100_000, views=1000, clicks=1)
    result = auction.run([ignored, loved], draw=0.9)
    assert result is not None
    assert result.winner == "loved"


@given(CANDIDATES, DRAWS)
def test_nobody_ever_pays_more_than_they_bid(candidates: list[Candidate], draw: float) -> None:
    result = auction.run(candidates, draw=draw)
    if result is None:
        assert all(c.ecpm_micros < auction.RESERVE_MICROS for c in candidates)
        return
    winner = next(c for c in candidates if c.key == result.winner)
    unit = 1000 if winner.pricing is Pricing.CPM else 1
    assert 0 < result.price_micros * unit <= winner.bid_micros
    assert winner.ecpm_micros == max(c.ecpm_micros for c in candidates)


@given(CANDIDATES, DRAWS, st.integers(10_000, 10**7))
def test_a_higher_reserve_never_lowers_the_price(
    candidates: list[Candidate], draw: float, reserve: int
) -> None:
    low = auction.run(candidates, draw=draw)
    high = auction.run(candidates, draw=draw, reserve_micros=reserve)
    if high is not None:
        assert low is not None
        assert high.winner == low.winner
        assert high.price_micros >= low.price_micros


@given(CANDIDATES, DRAWS)
def test_the_order_of_arrival_changes_nothing(candidates: list[Candidate], draw: float) -> None:
    assert auction.run(candidates, draw=draw) == auction.run(candidates[::-1], draw=draw)


@given(CANDIDATES, DRAWS)
def test_a_kept_auction_comes_out_the_same(candidates: list[Candidate], draw: float) -> None:
    kept = json.loads(json.dumps(auction.record(candidates, draw=draw)))
    assert auction.replay(kept) == auction.run(candidates, draw=draw)
