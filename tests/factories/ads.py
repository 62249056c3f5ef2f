"""Campaigns, and slots of runs that may show them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import Session

from marketplace.ads import campaigns, service
from marketplace.ads.auction import Pricing
from marketplace.ads.campaigns import Plan
from marketplace.ads.models import Flight, Offer
from marketplace.ads.service import Opportunity
from marketplace.catalog.models import App
from marketplace.kernel.ids import AccountId, AppId, RunId, new_id
from marketplace.kernel.money import Money
from tests.factories.accounts import make_account
from tests.factories.billing import make_listed_app

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
# When an offer of noon can have been seen.
SEEN = NOON + service.SEEN


def plan(**given: Any) -> Plan:
    """A campaign for a tea house: 2.50 for a thousand views, 10.00 in all, for a week."""
    values: dict[str, Any] = {
        "advertiser": "Dune Tea",
        "name": "Spring",
        "headline": "Tea for the road",
        "text": "A tin that keeps for a month.",
        "cta": "See the tins",
        "url": "https://tea.example.org/tins",
        "pricing": Pricing.CPM,
        "bid": Money(2_500_000, "USD"),
        "budget": Money(10_000_000, "USD"),
        "starts_at": NOON - timedelta(days=1),
        "ends_at": NOON + timedelta(days=6),
        **given,
    }
    return Plan(**values)


def make_flight(session: Session, **given: Any) -> Flight:
    """A live flight; `given` overrides any part of its plan."""
    owner = make_account(session, is_operator=True)
    flight = campaigns.launch(session, plan(**given), owner_id=AccountId(owner.id), now=NOON)
    session.flush()  # the flight must be found by auctions
    return flight


def make_opportunity(session: Session, **given: Any) -> Opportunity:
    """A slot of a new run of somebody, in an app of somebody else."""
    app: App = given.pop("app", None) or make_listed_app(session)
    values: dict[str, Any] = {
        "slot": "after-result",
        "app_id": AppId(app.id),
        "run_id": RunId(new_id()),
        "developer_id": app.owner_id,
        "person_id": given.get("person_id") or AccountId(make_account(session).id),
        "category": "writing",
        "locale": "en",
        "age": 16,
        "most_a_day": 10,
        **given,
    }
    return Opportunity(**values)


def make_offer(session: Session, **given: Any) -> Offer:
    """An open offer; a flight must be live."""
    offer = service.decide(session, make_opportunity(session, **given), now=NOON, draw=0.5)
    assert offer is not None
    session.flush()  # the offer must be found by its nonce
    return offer
