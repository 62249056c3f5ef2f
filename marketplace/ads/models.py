"""Advertising tables: campaigns, flights with their money, creatives, and offers."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, Uuid
from sqlmodel import Field, SQLModel

from marketplace.ads.auction import Pricing
from marketplace.ads.targeting import Target
from marketplace.infra.personal import Tie, tie, withheld
from marketplace.infra.types import UtcDateTime, enum_column, json_column
from marketplace.kernel.errors import Conflict
from marketplace.kernel.ids import (
    AccountId,
    AppId,
    CampaignId,
    CreativeId,
    FlightId,
    OfferId,
    RunId,
    new_id,
)
from marketplace.kernel.money import Money
from marketplace.web.i18n import gettext as _

# Bids can only be compared in one currency, so all advertising is sold in this one.
CURRENCY = "USD"


class Campaign(SQLModel, table=True):
    """What one advertiser wants to say. Its money lies in the ledger, under its id."""

    __tablename__ = "ads_campaign"

    id: CampaignId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    owner_id: AccountId = Field(
        sa_type=Uuid, foreign_key="accounts_account.id", sa_column_kwargs=tie(Tie.SHARED)
    )
    advertiser: str = Field(max_length=60)
    name: str = Field(max_length=60)
    created_at: datetime = Field(sa_type=UtcDateTime)


class FlightState(StrEnum):
    """Whether a flight takes part in auctions."""

    LIVE = "live"
    PAUSED = "paused"


class Flight(SQLModel, table=True):
    """A budget, a bid, and where and when to spend it.

    `reserved_micros` and `committed_micros` repeat what the ledger says, so that one UPDATE can
    see whether an offer still fits; the CHECK makes spending above the budget impossible.
    """

    __tablename__ = "ads_flight"
    __table_args__ = (
        CheckConstraint("budget_micros > 0 AND bid_micros > 0", name="has_money"),
        CheckConstraint("reserved_micros >= 0 AND committed_micros >= 0", name="not_negative"),
        CheckConstraint("reserved_micros + committed_micros <= budget_micros", name="in_budget"),
        CheckConstraint("starts_at < ends_at", name="starts_before_it_ends"),
        Index("ix_ads_flight_live", "state", "starts_at", "ends_at"),
    )

    id: FlightId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    campaign_id: CampaignId = Field(sa_type=Uuid, foreign_key="ads_campaign.id", index=True)
    pricing: Pricing = Field(sa_type=enum_column(Pricing))
    bid_micros: int = Field(sa_type=BigInteger)
    budget_micros: int = Field(sa_type=BigInteger)
    reserved_micros: int = Field(default=0, sa_type=BigInteger)
    committed_micros: int = Field(default=0, sa_type=BigInteger)
    views: int = Field(default=0, sa_type=BigInteger)
    clicks: int = Field(default=0, sa_type=BigInteger)
    categories: list[str] = Field(default_factory=list, sa_type=json_column())
    locales: list[str] = Field(default_factory=list, sa_type=json_column())
    starts_at: datetime = Field(sa_type=UtcDateTime)
    ends_at: datetime = Field(sa_type=UtcDateTime)
    state: FlightState = Field(default=FlightState.LIVE, sa_type=enum_column(FlightState))

    @property
    def target(self) -> Target:
        """Where and when, as the pure module knows it."""
        return Target(
            frozenset(self.categories), frozenset(self.locales), self.starts_at, self.ends_at
        )

    @property
    def remaining(self) -> Money:
        """What can still be promised to offers."""
        spoken_for = self.reserved_micros + self.committed_micros
        return Money(self.budget_micros - spoken_for, CURRENCY)


class Creative(SQLModel, table=True):
    """What is shown, and where a click leads."""

    __tablename__ = "ads_creative"
    __table_args__ = (CheckConstraint("url LIKE 'https://%'", name="https_only"),)

    id: CreativeId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    flight_id: FlightId = Field(sa_type=Uuid, foreign_key="ads_flight.id", index=True)
    headline: str = Field(max_length=60)
    text: str = Field(max_length=140)
    cta: str = Field(max_length=24)
    url: str = Field(max_length=500)


class Frequency(SQLModel, table=True):
    """How often one flight was offered to one person on one day (UTC), at a price."""

    __tablename__ = "ads_frequency"

    person_id: AccountId = Field(
        primary_key=True,
        sa_type=Uuid,
        foreign_key="accounts_account.id",
        sa_column_kwargs=tie(Tie.OWN),
    )
    flight_id: FlightId = Field(primary_key=True, sa_type=Uuid, foreign_key="ads_flight.id")
    day: date = Field(primary_key=True)
    times: int = 1


class OfferState(StrEnum):
    """Where the price of an offer is."""

    RESERVED = "reserved"
    COMMITTED = "committed"
    VOID = "void"


NEXT_STATES: Mapping[OfferState, frozenset[OfferState]] = {
    OfferState.RESERVED: frozenset({OfferState.COMMITTED, OfferState.VOID}),
    OfferState.COMMITTED: frozenset(),
    OfferState.VOID: frozenset(),
}


class IllegalMove(Conflict):
    """An offer cannot go from its present state to the one asked for."""


class Unbilled(StrEnum):
    """Why an offer costs nobody anything."""

    OWN_APP = "own-app"
    OPERATOR = "operator"


class Offer(SQLModel, table=True):
    """One place in one run, given to one creative at one price.

    `decision` holds all the auction saw, so that it can be run again. `unbilled` says why the
    offer is free of charge: such an offer is shown, but nothing is counted or paid.
    """

    __tablename__ = "ads_offer"
    __table_args__ = (
        UniqueConstraint("run_id", "slot"),
        CheckConstraint("price_micros >= 0", name="price_not_negative"),
        Index("ix_ads_offer_open", "state", "expires_at"),
    )

    id: OfferId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    nonce: str = Field(max_length=64, unique=True, sa_column_kwargs=withheld())
    campaign_id: CampaignId = Field(sa_type=Uuid, foreign_key="ads_campaign.id")
    flight_id: FlightId = Field(sa_type=Uuid, foreign_key="ads_flight.id", index=True)
    creative_id: CreativeId = Field(sa_type=Uuid, foreign_key="ads_creative.id")
    run_id: RunId = Field(sa_type=Uuid, sa_column_kwargs=tie(Tie.NOBODY))
    slot: str = Field(max_length=64)
    app_id: AppId = Field(sa_type=Uuid, foreign_key="catalog_app.id")
    developer_id: AccountId = Field(
        sa_type=Uuid, foreign_key="accounts_account.id", sa_column_kwargs=tie(Tie.SHARED)
    )
    pricing: Pricing = Field(sa_type=enum_column(Pricing))
    price_micros: int = Field(sa_type=BigInteger)
    scheme_id: UUID = Field(sa_type=Uuid, foreign_key="billing_fee_scheme.id")
    unbilled: Unbilled | None = Field(default=None, sa_type=enum_column(Unbilled))
    decision: dict[str, Any] = Field(
        default_factory=dict, sa_type=json_column(), sa_column_kwargs=withheld()
    )
    state: OfferState = Field(default=OfferState.RESERVED, sa_type=enum_column(OfferState))
    state_changed_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    viewed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    clicked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    @property
    def price(self) -> Money:
        """What one view (CPM) or one click (CPC) costs."""
        return Money(self.price_micros, CURRENCY)

    def move_to(self, target: OfferState, *, now: datetime) -> None:
        """Move to `target` at `now` (aware UTC), or raise `IllegalMove` and change nothing."""
        if target not in NEXT_STATES[self.state]:
            raise IllegalMove(_("This advertisement was settled before."))
        self.state, self.state_changed_at = target, now
