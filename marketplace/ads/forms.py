"""The forms of the advertising room: what an operator may send."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    model_validator,
)

from marketplace.ads.auction import RESERVE_MICROS, Pricing
from marketplace.ads.campaigns import Plan
from marketplace.ads.models import CURRENCY
from marketplace.catalog import categories
from marketplace.kernel.money import Money, NotMoney
from marketplace.kernel.words import noted
from marketplace.web.forms import one_line
from marketplace.web.i18n import locales

MOST = Money(1_000_000_000_000, CURRENCY)
BAD_AMOUNT = noted("Write an amount such as 2.50, more than nothing.")
BAD_URL = noted("Write an address that begins with https:// and names a site.")
BAD_DATE = noted("Write a day such as 2026-03-01.")
BAD_CHOICE = noted("Choose one of the list.")
TOO_LOW = noted("A thousand views cost at least 0.01, and the budget pays for one at least.")
WRONG_ORDER = noted("The last day comes before the first.")


def _amount(text: object) -> Money:
    try:
        amount = Money.parse(str(text).strip(), CURRENCY)
    except NotMoney:
        raise ValueError(BAD_AMOUNT) from None
    if not 0 < amount.micros <= MOST.micros:
        raise ValueError(BAD_AMOUNT)
    return amount


def _day(text: object) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise ValueError(BAD_DATE) from None


def _site(url: str) -> str:
    parts = urlsplit(url)
    has_blank = any(char.isspace() for char in url)
    if parts.scheme != "https" or not parts.hostname or parts.username or has_blank:
        raise ValueError(BAD_URL)
    return url


def _one_of(known: Callable[[], tuple[str, ...]]) -> AfterValidator:
    def check(chosen: str) -> str:
        if chosen and chosen not in known():
            raise ValueError(BAD_CHOICE)
        return chosen

    return AfterValidator(check)


Amount = Annotated[Money, BeforeValidator(_amount)]
Day = Annotated[date, BeforeValidator(_day)]


class CampaignForm(BaseModel):
    """A new campaign. Days are in UTC; the last one is included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    advertiser: Annotated[str, one_line(60)]
    name: Annotated[str, one_line(60)]
    headline: Annotated[str, one_line(60)]
    text: Annotated[str, one_line(140)]
    cta: Annotated[str, one_line(24)]
    url: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(_site)
    ]
    pricing: Pricing
    bid: Amount
    budget: Amount
    starts_on: Day
    ends_on: Day
    category: Annotated[str, _one_of(lambda: tuple(categories.TABLE))] = ""
    locale: Annotated[str, _one_of(locales)] = ""

    @model_validator(mode="after")
    def _fits(self) -> "CampaignForm":
        one = self.bid.micros // 1000 if self.pricing is Pricing.CPM else self.bid.micros
        if self.bid.micros < RESERVE_MICROS or self.budget.micros < one:
            raise ValueError(TOO_LOW)
        if self.ends_on < self.starts_on:
            raise ValueError(WRONG_ORDER)
        return self

    def plan(self) -> Plan:
        """The campaign as the service takes it."""
        return Plan(
            advertiser=self.advertiser,
            name=self.name,
            headline=self.headline,
            text=self.text,
            cta=self.cta,
            url=self.url,
            pricing=self.pricing,
            bid=self.bid,
            budget=self.budget,
            starts_at=_midnight(self.starts_on),
            ends_at=_midnight(self.ends_on + timedelta(days=1)),
            categories=(self.category,) if self.category else (),
            locales=(self.locale,) if self.locale else (),
        )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)
