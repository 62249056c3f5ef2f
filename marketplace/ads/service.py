"""Choosing advertisements, and counting and paying what was seen or clicked, once."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from marketplace.accounts.models import Account
from marketplace.ads import auction, postings, targeting
from marketplace.ads.auction import Candidate, Pricing
from marketplace.ads.models import (
    CURRENCY,
    Creative,
    Flight,
    FlightState,
    Frequency,
    Offer,
    OfferState,
    Unbilled,
)
from marketplace.ads.targeting import Place
from marketplace.billing import book
from marketplace.billing.models import FeeScheme, Line
from marketplace.billing.service import scheme_in_force
from marketplace.infra.db import inserting
from marketplace.kernel.errors import NotFound
from marketplace.kernel.ids import AccountId, AppId, FlightId, OfferId, RunId, new_id
from marketplace.kernel.money import Money
from marketplace.web.i18n import gettext as _

OFFER_LIFE = timedelta(hours=1)
# How long an advertisement must be in view; the page waits for it too (`controllers/ad.js`).
SEEN = timedelta(seconds=1)
# How many open offers one transaction settles, so that it does not hold up others for long.
BATCH = 200


class OfferNotFound(NotFound):
    """No offer has this nonce."""


@dataclass(frozen=True)
class Opportunity:
    """One slot of one run that may show an advertisement.

    Args:
        person_id: who runs the app; used only to leave out people who must not be billed for.
        age: the youngest the app is meant for.
        most_a_day: how often a flight may be offered to this person in a day at a price.
    """

    slot: str
    app_id: AppId
    run_id: RunId
    developer_id: AccountId
    person_id: AccountId
    category: str
    locale: str
    age: int
    most_a_day: int


def decide(
    session: Session, opportunity: Opportunity, *, now: datetime, draw: float
) -> Offer | None:
    """Choose an advertisement for a slot and set its price aside.

    The price is promised in one UPDATE that fits only within the budget, so however many
    processes decide at once, no flight spends more than it has. Nor does it spend more on one
    person than a day allows, however often they, or a program in their name, run apps.

    Args:
        draw: in [0, 1); chooses among equals.
    Returns: the offer, the same for the same slot of the same run; None when nothing fits.
    """
    known = session.exec(
        select(Offer).where(Offer.run_id == opportunity.run_id, Offer.slot == opportunity.slot)
    ).first()
    if known is not None:
        return known
    person = session.get(Account, opportunity.person_id)
    # Who wants no advertisement that fits the app gets those alone that are for every app.
    category = opportunity.category if person is None or person.ads_fit_app else ""
    place = Place(category, opportunity.locale, opportunity.age)
    flights = _flights_for(session, place, now=now)
    unbilled = _unbilled(person, opportunity)
    if not unbilled:
        enough = _seen_enough(session, opportunity, now=now)
        flights = {key: flight for key, flight in flights.items() if key not in enough}
    while flights:
        candidates = [_candidate(flight) for flight in flights.values()]
        result = auction.run(candidates, draw=draw)
        if result is None:
            return None
        flight = flights[result.winner]
        price = Money(0 if unbilled else result.price_micros, CURRENCY)
        if unbilled or (
            _count_offer(session, flight, opportunity, now=now)
            and _set_aside(session, flight, price)
        ):
            decision = auction.record(candidates, draw=draw)
            return _offer(
                session,
                opportunity,
                flight,
                price=price,
                unbilled=unbilled,
                decision=decision,
                now=now,
            )
        # Its last money, or the person's last time today, went to another offer; the next best
        # has its turn.
        del flights[result.winner]
    return None


def _flights_for(session: Session, place: Place, *, now: datetime) -> dict[str, Flight]:
    if not targeting.may_advertise(place):
        return {}
    live = session.exec(
        select(Flight)
        .where(
            Flight.state == FlightState.LIVE,
            Flight.starts_at <= now,
            Flight.ends_at > now,
            col(Flight.reserved_micros) + col(Flight.committed_micros) < col(Flight.budget_micros),
        )
        .order_by(col(Flight.id))
    ).all()
    return {str(f.id): f for f in live if targeting.matches(f.target, place, now=now)}


def _candidate(flight: Flight) -> Candidate:
    return Candidate(str(flight.id), flight.pricing, flight.bid_micros, flight.views, flight.clicks)


def _unbilled(person: Account | None, opportunity: Opportunity) -> Unbilled | None:
    if opportunity.person_id == opportunity.developer_id:
        return Unbilled.OWN_APP
    return Unbilled.OPERATOR if person is not None and person.is_operator else None


def _seen_enough(session: Session, opportunity: Opportunity, *, now: datetime) -> set[str]:
    found = session.exec(
        select(Frequency.flight_id).where(
            Frequency.person_id == opportunity.person_id,
            Frequency.day == now.date(),
            Frequency.times >= opportunity.most_a_day,
        )
    ).all()
    return {str(flight_id) for flight_id in found}


def _count_offer(
    session: Session, flight: Flight, opportunity: Opportunity, *, now: datetime
) -> bool:
    values = {
        "person_id": opportunity.person_id,
        "flight_id": flight.id,
        "day": now.date(),
        "times": 1,
    }
    counted = (
        inserting(session, Frequency)
        .values(**values)
        .on_conflict_do_update(
            index_elements=["person_id", "flight_id", "day"],
            set_={"times": col(Frequency.times) + 1},
            where=col(Frequency.times) < opportunity.most_a_day,
        )
        .returning(col(Frequency.times))
    )
    return session.connection().execute(counted).first() is not None


def forget_frequencies(session: Session, *, now: datetime) -> None:
    """Delete what was counted on days that are over."""
    session.exec(delete(Frequency).where(col(Frequency.day) < now.date()))


def _set_aside(session: Session, flight: Flight, price: Money) -> bool:
    taken = session.connection().execute(
        update(Flight)
        .where(
            col(Flight.id) == flight.id,
            col(Flight.state) == FlightState.LIVE,
            col(Flight.reserved_micros) + col(Flight.committed_micros) + price.micros
            <= col(Flight.budget_micros),
        )
        .values(reserved_micros=col(Flight.reserved_micros) + price.micros)
    )
    session.expire(flight)
    return taken.rowcount == 1


def _offer(
    session: Session,
    opportunity: Opportunity,
    flight: Flight,
    *,
    price: Money,
    unbilled: Unbilled | None,
    decision: dict[str, object],
    now: datetime,
) -> Offer:
    creative = session.exec(
        select(Creative).where(Creative.flight_id == flight.id).order_by(col(Creative.id))
    ).first()
    if creative is None:
        raise LookupError(f"The flight {flight.id} has no creative.")
    offer = Offer(
        id=OfferId(new_id()),
        nonce=secrets.token_urlsafe(24),
        campaign_id=flight.campaign_id,
        flight_id=flight.id,
        creative_id=creative.id,
        run_id=opportunity.run_id,
        slot=opportunity.slot,
        app_id=opportunity.app_id,
        developer_id=opportunity.developer_id,
        pricing=flight.pricing,
        price_micros=price.micros,
        scheme_id=scheme_in_force(session, Line.ADS, now=now).id,
        unbilled=unbilled,
        decision=decision,
        state=OfferState.VOID if unbilled else OfferState.RESERVED,
        state_changed_at=now,
        created_at=now,
        expires_at=now + OFFER_LIFE,
    )
    session.add(offer)
    if not unbilled:
        promised = postings.reserve(offer.id, offer.campaign_id, price)
        book.post(session, promised, subject_id=offer.id, now=now)
    return offer


def record_view(session: Session, nonce: str, *, now: datetime) -> bool:
    """Count that a person saw an offer; for CPM this is what is paid for.

    Returns: whether it counted. It does once, before the offer expires, not sooner than anybody
    can have seen it, and not for people who must not be billed for. Raises: OfferNotFound.
    """
    offer = _by_nonce(session, nonce)
    is_open = (
        offer.state is OfferState.RESERVED and offer.created_at + SEEN <= now < offer.expires_at
    )
    if offer.viewed_at is not None or not is_open:
        return False
    offer.viewed_at = now
    _count(session, offer, "views")
    if offer.pricing is Pricing.CPM:
        _commit(session, offer, now)
    return True


def record_click(session: Session, nonce: str, *, now: datetime) -> bool:
    """Count that a person followed an offer; for CPC this is what is paid for.

    Returns: whether it counted. It does once, and only after a counted view: what was not seen
    was not chosen. Raises: OfferNotFound.
    """
    offer = _by_nonce(session, nonce)
    is_open = offer.state is not OfferState.VOID and now < offer.expires_at
    if offer.viewed_at is None or offer.clicked_at is not None or not is_open:
        return False
    offer.clicked_at = now
    _count(session, offer, "clicks")
    if offer.pricing is Pricing.CPC:
        _commit(session, offer, now)
    return True


def destination(session: Session, nonce: str) -> str:
    """Where a click on an offer leads: the creative's own address. Raises: OfferNotFound."""
    offer = session.exec(select(Offer).where(Offer.nonce == nonce)).first()
    if offer is None:
        raise OfferNotFound(_("This advertisement is no longer there."))
    return session.get_one(Creative, offer.creative_id).url


def _by_nonce(session: Session, nonce: str) -> Offer:
    offer = session.exec(
        select(Offer)
        .where(Offer.nonce == nonce)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    if offer is None:
        raise OfferNotFound(_("This advertisement is no longer there."))
    return offer


def _count(session: Session, offer: Offer, counter: str) -> None:
    column = getattr(Flight, counter)
    _change_flight(session, offer.flight_id, {counter: column + 1})


def _change_flight(session: Session, flight_id: FlightId, values: dict[str, object]) -> None:
    # Counted in the database, not here: many views of one flight may come together.
    session.connection().execute(update(Flight).where(col(Flight.id) == flight_id).values(**values))
    if (known := session.identity_map.get(session.identity_key(Flight, flight_id))) is not None:
        session.expire(known)


def _commit(session: Session, offer: Offer, now: datetime) -> None:
    offer.move_to(OfferState.COMMITTED, now=now)
    _change_flight(
        session,
        offer.flight_id,
        {
            "reserved_micros": col(Flight.reserved_micros) - offer.price_micros,
            "committed_micros": col(Flight.committed_micros) + offer.price_micros,
        },
    )
    scheme = session.get_one(FeeScheme, offer.scheme_id).scheme()
    earned = postings.commit(offer.id, offer.campaign_id, offer.price, scheme, offer.developer_id)
    book.post(session, earned, subject_id=offer.id, app_id=offer.app_id, now=now)


def void_for_run(session: Session, run_id: RunId, *, now: datetime) -> int:
    """Release what is set aside for a run that failed. Returns: how many offers that were."""
    return _void(
        session,
        session.exec(
            select(Offer)
            .where(Offer.run_id == run_id, Offer.state == OfferState.RESERVED)
            .with_for_update()
        ).all(),
        now,
    )


def void_expired(session: Session, *, now: datetime) -> int:
    """Release what is set aside for offers that expired, a batch at a time.

    Returns: how many there were; fewer than `BATCH` means that none are left.
    """
    return _void(
        session,
        session.exec(
            select(Offer)
            .where(Offer.state == OfferState.RESERVED, Offer.expires_at <= now)
            .order_by(col(Offer.expires_at))
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        ).all(),
        now,
    )


def _void(session: Session, offers: Iterable[Offer], now: datetime) -> int:
    count = 0
    # Two batches at once take the flights in the same order, so that neither waits for the other.
    for offer in sorted(offers, key=lambda one: one.flight_id):
        offer.move_to(OfferState.VOID, now=now)
        reserved = col(Flight.reserved_micros) - offer.price_micros
        _change_flight(session, offer.flight_id, {"reserved_micros": reserved})
        released = postings.void(offer.id, offer.campaign_id, offer.price)
        book.post(session, released, subject_id=offer.id, now=now)
        count += 1
    return count
