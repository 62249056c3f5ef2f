"""Reads of the advertising room."""

from sqlmodel import Session, col, select

from marketplace.ads.models import CURRENCY, Campaign, Creative, Flight, Offer
from marketplace.ads.pages import Card, DeskPage, FlightRow
from marketplace.kernel.ids import OfferId
from marketplace.kernel.money import Money


def card(session: Session, offer_id: OfferId) -> Card | None:
    """An offer as it is drawn, or None when there is none."""
    found = session.exec(
        select(Offer, Creative, Campaign)
        .join(Creative, col(Creative.id) == col(Offer.creative_id))
        .join(Campaign, col(Campaign.id) == col(Offer.campaign_id))
        .where(Offer.id == offer_id)
    ).first()
    if found is None:
        return None
    offer, creative, campaign = found
    return Card(
        nonce=offer.nonce,
        advertiser=campaign.advertiser,
        headline=creative.headline,
        text=creative.text,
        cta=creative.cta,
        is_counted=offer.viewed_at is not None,
    )


def desk(session: Session) -> DeskPage:
    """Every flight with its money and what came of it."""
    found = session.exec(
        select(Flight, Campaign, Creative)
        .join(Campaign, col(Campaign.id) == col(Flight.campaign_id))
        .join(Creative, col(Creative.flight_id) == col(Flight.id))
        .order_by(col(Campaign.created_at).desc())
    ).all()
    flights = [_row(flight, campaign, creative) for flight, campaign, creative in found]
    return DeskPage(
        flights=flights,
        budget=Money(sum(row.budget.micros for row in flights), CURRENCY),
        committed=Money(sum(row.committed.micros for row in flights), CURRENCY),
        views=sum(row.views for row in flights),
        clicks=sum(row.clicks for row in flights),
    )


def _row(flight: Flight, campaign: Campaign, creative: Creative) -> FlightRow:
    return FlightRow(
        flight_id=str(flight.id),
        advertiser=campaign.advertiser,
        name=campaign.name,
        headline=creative.headline,
        state=flight.state.value,
        pricing=flight.pricing.value,
        bid=Money(flight.bid_micros, CURRENCY),
        budget=Money(flight.budget_micros, CURRENCY),
        reserved=Money(flight.reserved_micros, CURRENCY),
        committed=Money(flight.committed_micros, CURRENCY),
        remaining=flight.remaining,
        views=flight.views,
        clicks=flight.clicks,
        click_rate=f"{100 * flight.clicks / flight.views:.1f}" if flight.views else "0",
        starts_at=flight.starts_at,
        ends_at=flight.ends_at,
    )
