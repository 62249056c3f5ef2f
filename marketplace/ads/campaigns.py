"""Making campaigns, paying in for them, pausing them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from marketplace.ads import postings
from marketplace.ads.auction import Pricing
from marketplace.ads.models import Campaign, Creative, Flight, FlightState
from marketplace.billing import book
from marketplace.kernel.errors import Invalid, NotFound
from marketplace.kernel.ids import AccountId, FlightId
from marketplace.kernel.money import Money
from marketplace.web.i18n import gettext as _


class FlightNotFound(NotFound):
    """No flight has this id."""


class BadTopUp(Invalid):
    """Nothing, or less than nothing, would be paid in."""


@dataclass(frozen=True)
class Plan:
    """A campaign with one flight and one creative, as the form describes it.

    Args:
        bid: for a thousand views (CPM) or one click (CPC).
        categories, locales: empty for everywhere.
        starts_at, ends_at: aware instants.
    """

    advertiser: str
    name: str
    headline: str
    text: str
    cta: str
    url: str
    pricing: Pricing
    bid: Money
    budget: Money
    starts_at: datetime
    ends_at: datetime
    categories: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()


def launch(session: Session, plan: Plan, *, owner_id: AccountId, now: datetime) -> Flight:
    """Make a campaign and pay its budget in (with play money).

    Effects: a Campaign, Flight and Creative, and a ledger transaction.
    """
    campaign = Campaign(
        owner_id=owner_id, advertiser=plan.advertiser, name=plan.name, created_at=now
    )
    session.add(campaign)
    session.flush()  # the flight points at it
    flight = Flight(
        campaign_id=campaign.id,
        pricing=plan.pricing,
        bid_micros=plan.bid.micros,
        budget_micros=plan.budget.micros,
        categories=list(plan.categories),
        locales=list(plan.locales),
        starts_at=plan.starts_at,
        ends_at=plan.ends_at,
    )
    session.add(flight)
    session.flush()  # the creative points at it
    session.add(
        Creative(
            flight_id=flight.id,
            headline=plan.headline,
            text=plan.text,
            cta=plan.cta,
            url=plan.url,
        )
    )
    _pay_in(session, flight, plan.budget, f"ad-flight:{flight.id}:budget", now)
    return flight


def top_up(
    session: Session, flight_id: FlightId, amount: Money, *, key: UUID, now: datetime
) -> Flight:
    """Add to a flight's budget.

    Args:
        key: names this payment; the same key again adds nothing.
    Raises: FlightNotFound, BadTopUp.
    """
    flight = _locked_flight(session, flight_id)
    if amount.micros <= 0:
        raise BadTopUp(_("Pay in more than nothing."))
    if _pay_in(session, flight, amount, f"ad-top-up:{key}", now):
        flight.budget_micros += amount.micros
    return flight


def _pay_in(session: Session, flight: Flight, amount: Money, key: str, now: datetime) -> bool:
    paid = postings.top_up(key, flight.campaign_id, amount)
    return book.post(session, paid, subject_id=flight.id, now=now)


def set_state(session: Session, flight_id: FlightId, state: FlightState) -> Flight:
    """Pause a flight, or let it go on. Raises: FlightNotFound."""
    flight = _locked_flight(session, flight_id)
    flight.state = state
    return flight


def _locked_flight(session: Session, flight_id: FlightId) -> Flight:
    flight = session.get(Flight, flight_id, with_for_update=True, populate_existing=True)
    if flight is None:
        raise FlightNotFound(_("There is no such campaign."))
    return flight
