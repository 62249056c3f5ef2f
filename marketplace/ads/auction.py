"""A second-price auction on the expected price of a thousand views. Pure and replayable."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

VIEWS_OF_CPM = 1000
PPM = 1_000_000
# One cent for a thousand views: below it an advertisement costs more attention than it earns.
RESERVE_MICROS = 10_000
# A flight without history is taken to have one click in a hundred views, with the weight of a
# hundred views of evidence.
PRIOR_VIEWS = 100
PRIOR_CLICKS = 1


class Pricing(StrEnum):
    """What an advertiser pays for."""

    CPM = "cpm"
    CPC = "cpc"


@dataclass(frozen=True)
class Candidate:
    """One flight that may be shown.

    Args:
        key: the flight's id as text.
        bid_micros: for a thousand views (CPM) or for a click (CPC).
        views, clicks: how often it was seen and clicked so far.
    """

    key: str
    pricing: Pricing
    bid_micros: int
    views: int = 0
    clicks: int = 0

    @property
    def click_rate_ppm(self) -> int:
        """Expected clicks in a million views: the mean of a Beta posterior.

        3 clicks in 300 views: (3 + 1) / (300 + 100) = 10,000 ppm.
        """
        return (self.clicks + PRIOR_CLICKS) * PPM // (self.views + PRIOR_VIEWS)

    @property
    def ecpm_micros(self) -> int:
        """What a thousand views are expected to bring at this bid."""
        if self.pricing is Pricing.CPM:
            return self.bid_micros
        return self.bid_micros * self.click_rate_ppm * VIEWS_OF_CPM // PPM


@dataclass(frozen=True)
class Result:
    """Who won, and for how much.

    Args:
        price_micros: for one view (CPM) or one click (CPC).
    """

    winner: str
    price_micros: int


def run(
    candidates: Sequence[Candidate], *, draw: float, reserve_micros: int = RESERVE_MICROS
) -> Result | None:
    """The winner and the least it must pay to win, never more than its bid.

    Weighted second price, as in generalised second-price auctions with quality scores
    (https://en.wikipedia.org/wiki/Generalized_second-price_auction). Two CPM bids of 2.50 and
    1.50: the first wins, a thousand views cost it 1.500001, one view 1,500 micros.

    Args:
        draw: in [0, 1); chooses among equals, so that the order of arrival does not.
        reserve_micros: the lowest expected price of a thousand views the slot is sold for.
    """
    ranked = sorted(
        (c for c in candidates if c.ecpm_micros >= reserve_micros),
        key=lambda c: (-c.ecpm_micros, c.key),
    )
    if not ranked:
        return None
    best = ranked[0].ecpm_micros
    equals = [c for c in ranked if c.ecpm_micros == best]
    winner = equals[int(draw * len(equals))]
    others = [c.ecpm_micros for c in ranked if c is not winner]
    clearing = max([reserve_micros, *others[:1]]) + 1
    return Result(winner.key, _price(winner, clearing))


def _price(winner: Candidate, clearing_micros: int) -> int:
    if winner.pricing is Pricing.CPM:
        return max(1, min(winner.bid_micros, clearing_micros) // VIEWS_OF_CPM)
    per_click = -(-clearing_micros * PPM // (winner.click_rate_ppm * VIEWS_OF_CPM))
    return min(winner.bid_micros, per_click)


def record(
    candidates: Sequence[Candidate], *, draw: float, reserve_micros: int = RESERVE_MICROS
) -> dict[str, Any]:
    """Everything the auction saw, as JSON values, to be kept on the offer."""
    return {
        "candidates": [asdict(candidate) for candidate in candidates],
        "draw": draw,
        "reserve_micros": reserve_micros,
    }


def replay(kept: dict[str, Any]) -> Result | None:
    """Run a kept auction again; it comes out the same."""
    candidates = [
        Candidate(**{**fields, "pricing": Pricing(fields["pricing"])})
        for fields in kept["candidates"]
    ]
    return run(candidates, draw=kept["draw"], reserve_micros=kept["reserve_micros"])
