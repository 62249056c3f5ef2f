"""Advertisements in the browser: what is told of a view, where a click leads, the campaigns."""

from datetime import timedelta
from html import unescape

import pytest
from flask import Flask, render_template
from sqlmodel import select

from marketplace.ads import queries
from marketplace.ads.auction import Pricing
from marketplace.ads.models import Flight, FlightState, Offer
from marketplace.ads.service import SEEN, decide
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import OfferId, new_id
from tests.billing.shop_app import Browser
from tests.factories.accounts import make_account
from tests.factories.ads import make_flight, make_opportunity
from tests.factories.billing import make_actor, make_operator
from tests.web.small_app import People

CAMPAIGN = {
    "advertiser": "Dune Tea",
    "name": "Spring",
    "headline": "Tea for the road",
    "text": "A tin that keeps for a month.",
    "cta": "See the tins",
    "url": "https://tea.example.org/tins?from=caravan",
    "pricing": "cpm",
    "bid": "2.50",
    "budget": "50",
    "starts_on": "2026-03-01",
    "ends_on": "2026-03-31",
    "category": "writing",
    "locale": "en",
}


def _open_offer(database: Database) -> Offer:
    now = utc_now() - SEEN
    with database.writing() as session:
        make_flight(
            session,
            pricing=Pricing.CPC,
            bid=queries.Money(500_000, "USD"),
            starts_at=now - timedelta(days=1),
            ends_at=now + timedelta(days=1),
        )
        offer = decide(session, make_opportunity(session), now=now, draw=0)
        assert offer is not None
    return offer


def test_a_seen_and_followed_card_is_counted_once(
    empty_database: Database, shop: Flask, people: People
) -> None:
    offer = _open_offer(empty_database)
    browser = Browser(shop, people)
    for _twice in range(2):
        browser.send(f"/ads/offers/{offer.nonce}/view", status=204)
        answer = browser.client.get(f"/ads/offers/{offer.nonce}/click")
        assert (answer.status_code, answer.location) == (303, "https://tea.example.org/tins")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    with empty_database.reading() as session:
        flight = session.exec(select(Flight)).one()
        assert (flight.views, flight.clicks, flight.committed_micros) == (1, 1, offer.price_micros)


@pytest.mark.parametrize("ahead", [{"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}])
def test_a_link_that_is_only_fetched_ahead_is_no_click(
    empty_database: Database, shop: Flask, people: People, ahead: dict[str, str]
) -> None:
    offer = _open_offer(empty_database)
    browser = Browser(shop, people)
    browser.send(f"/ads/offers/{offer.nonce}/view", status=204)
    browser.client.get(f"/ads/offers/{offer.nonce}/click", headers=ahead)
    browser.client.head(f"/ads/offers/{offer.nonce}/click")
    with empty_database.reading() as session:
        assert session.exec(select(Flight)).one().clicks == 0


def test_a_click_leads_nowhere_but_to_the_creative(
    empty_database: Database, shop: Flask, people: People
) -> None:
    offer = _open_offer(empty_database)
    browser = Browser(shop, people)
    answer = browser.client.get(f"/ads/offers/{offer.nonce}/click?url=https://evil.example")
    assert answer.location == "https://tea.example.org/tins"
    browser.read("/ads/offers/made-up/click", status=404)
    browser.send("/ads/offers/made-up/view", status=404)


def test_the_card_is_labelled_and_reports_its_view_until_it_was_counted(
    empty_database: Database, shop: Flask, people: People
) -> None:
    offer = _open_offer(empty_database)

    def drawn() -> str:
        with empty_database.reading() as session:
            card = queries.card(session, OfferId(offer.id))
        with shop.test_request_context("/"):
            return unescape(render_template("ads/_card.html", card=card))

    first = drawn()
    for words in ("Sponsored", "Dune Tea", "Tea for the road", 'data-controller="ad"'):
        assert words in first
    assert f'data-view-url="/ads/offers/{offer.nonce}/view"' in first
    Browser(shop, people).send(f"/ads/offers/{offer.nonce}/view", status=204)
    assert "data-view-url" not in drawn()
    with empty_database.reading() as session:
        assert queries.card(session, OfferId(new_id())) is None


def test_an_operator_makes_a_campaign_pauses_it_and_reads_its_report(
    empty_database: Database, shop: Flask, people: People
) -> None:
    with empty_database.writing() as session:
        operator = make_operator(session)
    browser = Browser(shop, people, operator)
    assert "No campaigns yet" in browser.read("/admin/ads")
    assert "Headline" in browser.read("/admin/ads/new")
    assert browser.send("/admin/ads/new", **CAMPAIGN) == "/admin/ads"
    report = browser.read("/admin/ads")
    assert "$2.50" in report
    assert "$50.00" in report
    with empty_database.reading() as session:
        flight = session.exec(select(Flight)).one()
    assert (flight.categories, flight.locales) == (["writing"], ["en"])
    assert flight.ends_at - flight.starts_at == timedelta(days=31)
    for state in (FlightState.PAUSED, FlightState.LIVE):
        browser.send(f"/admin/ads/flights/{flight.id}/state", state=state.value)
        with empty_database.reading() as session:
            assert session.exec(select(Flight)).one().state is state


def test_a_refused_campaign_comes_back_with_what_was_typed(
    empty_database: Database, shop: Flask, people: People
) -> None:
    with empty_database.writing() as session:
        operator = make_operator(session)
    page = unescape(
        Browser(shop, people, operator).send(
            "/admin/ads/new", status=422, **{**CAMPAIGN, "bid": "much"}
        )
    )
    assert "Write an amount such as 2.50" in page
    assert "Tea for the road" in page
    with empty_database.reading() as session:
        assert session.exec(select(Flight)).all() == []


def test_shoppers_have_no_campaigns(empty_database: Database, shop: Flask, people: People) -> None:
    with empty_database.writing() as session:
        person = make_actor(make_account(session))
    browser = Browser(shop, people, person)
    browser.read("/admin/ads", status=403)
    browser.send("/admin/ads/new", status=403, **CAMPAIGN)
