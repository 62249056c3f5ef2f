"""Campaigns: what is paid in for them, and pausing."""

import pytest
from sqlmodel import Session

from marketplace.ads import campaigns
from marketplace.ads.models import Flight, FlightState
from marketplace.billing import book, ledger
from marketplace.billing.queries import trial_balance
from marketplace.kernel.ids import FlightId, new_id
from marketplace.kernel.money import Money
from tests.factories.ads import NOON, make_flight


def _prepaid(session: Session, flight: Flight) -> int:
    return -book.balance(session, ledger.prepaid(flight.campaign_id), "USD").micros


def test_a_campaign_starts_with_its_budget_paid_in(session: Session) -> None:
    flight = make_flight(session)
    assert _prepaid(session, flight) == 10_000_000
    assert sum(money.micros for _, money in trial_balance(session)) == 0


def test_a_budget_grows_by_what_is_paid_in_once(session: Session) -> None:
    flight = make_flight(session)
    key = new_id()
    for _twice in range(2):
        campaigns.top_up(session, FlightId(flight.id), Money(5_000_000, "USD"), key=key, now=NOON)
    assert flight.budget_micros == 15_000_000
    assert _prepaid(session, flight) == 15_000_000


def test_paying_in_nothing_is_refused(session: Session) -> None:
    flight = make_flight(session)
    with pytest.raises(campaigns.BadTopUp):
        campaigns.top_up(session, FlightId(flight.id), Money(0, "USD"), key=new_id(), now=NOON)
    with pytest.raises(campaigns.FlightNotFound):
        campaigns.set_state(session, FlightId(new_id()), FlightState.PAUSED)
