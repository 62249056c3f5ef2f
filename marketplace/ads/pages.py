"""What each page of the advertising room shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from marketplace.kernel.money import Money


@dataclass(frozen=True)
class Card:
    """One advertisement as the store draws it, labelled, outside the app's output.

    Args:
        nonce: what its view and click are reported under.
        is_counted: whether its view was reported before; it is not reported again.
    """

    nonce: str
    advertiser: str
    headline: str
    text: str
    cta: str
    is_counted: bool


@dataclass(frozen=True)
class FlightRow:
    """One flight of the operator's report.

    Args:
        bid: for a thousand views (`cpm`) or one click (`cpc`), as `pricing` says.
        remaining: budget that is neither spent nor set aside.
        click_rate: clicks of a hundred views, such as `1.3`.
    """

    flight_id: str
    advertiser: str
    name: str
    headline: str
    state: str
    pricing: str
    bid: Money
    budget: Money
    reserved: Money
    committed: Money
    remaining: Money
    views: int
    clicks: int
    click_rate: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class DeskPage:
    """The operator's campaigns, newest first, and their sums."""

    flights: Sequence[FlightRow]
    budget: Money
    committed: Money
    views: int
    clicks: int


@dataclass(frozen=True)
class FormPage:
    """The form of a new campaign.

    Args:
        values: what was typed, by field name.
        errors: sentence by field name.
        categories, locales: (key, name) of what can be chosen.
    """

    values: Mapping[str, str]
    errors: Mapping[str, str]
    categories: Sequence[tuple[str, str]]
    locales: Sequence[tuple[str, str]]
