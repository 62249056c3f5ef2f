"""The forms of the advertising room: what an operator may send, and what is said of the rest."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
    model_validator,
)

from marketplace.ads.auction import RESERVE_MICROS, Pricing
from marketplace.ads.campaigns import Plan
from marketplace.ads.models import CURRENCY
from marketplace.catalog import categories
from marketplace.kernel.errors import Invalid
from marketplace.kernel.money import Money, NotMoney
from marketplace.kernel.words import noted
from marketplace.web.csrf import FIELD as CSRF_FIELD
from marketplace.web.i18n import gettext as _
from marketplace.web.i18n import locales

ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+$"
MOST = Money(1_000_000_000_000, CURRENCY)
BAD_AMOUNT = noted("Write an amount such as 2.50, more than nothing.")
BAD_URL = noted("Write an address that begins with https:// and names a site.")
BAD_DATE = noted("Write a day such as 2026-03-01.")
BAD_CHOICE = noted("Choose one of the list.")
TOO_LOW = noted("A thousand views cost at least 0.01, and the budget pays for one at least.")
WRONG_ORDER = noted("The last day comes before the first.")


class BadForm(Invalid):
    """A form was not filled in as it must be; `fields` says where."""


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


def _text(longest: int) -> StringConstraints:
    return StringConstraints(
        strip_whitespace=True, min_length=1, max_length=longest, pattern=ONE_LINE
    )


Amount = Annotated[Money, BeforeValidator(_amount)]
Day = Annotated[date, BeforeValidator(_day)]


class CampaignForm(BaseModel):
    """A new campaign. Days are in UTC; the last one is included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    advertiser: Annotated[str, _text(60)]
    name: Annotated[str, _text(60)]
    headline: Annotated[str, _text(60)]
    text: Annotated[str, _text(140)]
    cta: Annotated[str, _text(24)]
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


def read_campaign(posted: Mapping[str, str]) -> CampaignForm:
    """The form as it was sent. Raises: BadForm, with a sentence for each field that is wrong."""
    sent = {key: value for key, value in posted.items() if key != CSRF_FIELD}
    try:
        return CampaignForm.model_validate(sent)
    except ValidationError as error:
        fields = {
            str(fault["loc"][0]) if fault["loc"] else "": _sentence(
                fault["type"], fault.get("ctx", {})
            )
            for fault in error.errors()
        }
        raise BadForm(_("Please look at the form again."), fields=fields) from None


def _sentence(kind: str, context: Mapping[str, object]) -> str:
    if kind in {"missing", "string_too_short"}:
        return _("Please fill this in.")
    if kind == "string_too_long":
        return _("Use at most %(n)s characters.", n=context["max_length"])
    if kind == "string_pattern_mismatch":
        return _("Write this in one line, without special characters.")
    if kind == "value_error":
        return _(str(context["error"]))
    return _("This is not accepted here.")
