"""Advertisements: who sees them, what is counted, and that no budget is ever overspent."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from operator import itemgetter
from threading import Barrier, Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from marketplace.accounts.models import Account
from marketplace.ads import auction, campaigns, service
from marketplace.ads.auction import Pricing
from marketplace.ads.jobs import handlers, schedules
from marketplace.ads.models import (
    NEXT_STATES,
    Flight,
    FlightState,
    Frequency,
    IllegalMove,
    Offer,
    OfferState,
)
from marketplace.billing import book, ledger
from marketplace.billing.models import FeeScheme, LedgerEntry, Line
from marketplace.billing.queries import earned, trial_balance
from marketplace.infra.db import Database
from marketplace.infra.jobs import JobContext
from marketplace.kernel.ids import AccountId, FlightId, RunId, new_id
from marketplace.kernel.money import Money
from tests.factories.accounts import make_account
from tests.factories.ads import NOON, SEEN, make_flight, make_offer, make_opportunity
from tests.factories.billing import make_listed_app

LATER = NOON + service.OFFER_LIFE


def _owed(session: Session, account: str) -> int:
    return -book.balance(session, account, "USD").micros


def _check_book(session: Session) -> None:
    """The flights' own counters say what the ledger says, and the ledger is in balance."""
    assert sum(money.micros for _, money in trial_balance(session)) == 0
    for flight in session.exec(select(Flight).execution_options(populate_existing=True)).all():
        assert _owed(session, ledger.reserved(flight.campaign_id)) == flight.reserved_micros
        assert _owed(session, ledger.prepaid(flight.campaign_id)) == flight.remaining.micros
        assert 0 <= flight.reserved_micros + flight.committed_micros <= flight.budget_micros


def test_an_offer_sets_its_price_aside(session: Session) -> None:
    flight = make_flight(session)
    make_flight(session, bid=Money(1_500_000, "USD"))
    offer = make_offer(session)
    assert (offer.flight_id, offer.price_micros) == (flight.id, 1_500)
    session.refresh(flight)
    assert (flight.reserved_micros, flight.committed_micros) == (1_500, 0)
    _check_book(session)


def test_a_view_is_paid_once_and_shared_seven_to_three(session: Session) -> None:
    flight = make_flight(session)
    make_flight(session, bid=Money(2_000_000, "USD"))
    offer = make_offer(session)
    assert service.record_view(session, offer.nonce, now=SEEN)
    assert not service.record_view(session, offer.nonce, now=SEEN)
    session.refresh(flight)
    assert (flight.reserved_micros, flight.committed_micros, flight.views) == (0, 2_000, 1)
    assert _owed(session, ledger.developer(offer.developer_id)) == 1_400
    assert _owed(session, ledger.ADS_MARGIN) == 600
    assert earned(session, offer.developer_id)[offer.app_id].shares == [Money(1_400, "USD")]
    _check_book(session)


def test_a_flight_paid_by_click_pays_for_the_click_alone(session: Session) -> None:
    flight = make_flight(session, pricing=Pricing.CPC, bid=Money(500_000, "USD"))
    offer = make_offer(session)
    assert service.record_view(session, offer.nonce, now=SEEN)
    assert not service.record_view(session, offer.nonce, now=SEEN)
    session.refresh(flight)
    assert (flight.committed_micros, flight.views) == (0, 1)
    assert service.record_click(session, offer.nonce, now=SEEN)
    assert not service.record_click(session, offer.nonce, now=SEEN)
    session.refresh(flight)
    assert (flight.committed_micros, flight.clicks) == (offer.price_micros, 1)
    _check_book(session)


def test_a_click_on_a_flight_paid_by_view_is_counted_and_costs_nothing_more(
    session: Session,
) -> None:
    flight = make_flight(session)
    offer = make_offer(session)
    service.record_view(session, offer.nonce, now=SEEN)
    assert service.record_click(session, offer.nonce, now=SEEN)
    session.refresh(flight)
    assert (flight.clicks, flight.committed_micros) == (1, offer.price_micros)
    _check_book(session)


def test_what_is_told_sooner_than_anybody_can_have_seen_it_is_not_counted(
    session: Session,
) -> None:
    make_flight(session)
    offer = make_offer(session)
    too_soon = SEEN - timedelta(milliseconds=1)
    assert not service.record_view(session, offer.nonce, now=too_soon)
    assert service.record_view(session, offer.nonce, now=SEEN)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=14),
    st.integers(1, 4),
)
def test_nobody_is_billed_for_more_often_than_a_day_allows(
    session: Session, asked: list[tuple[int, int]], most: int
) -> None:
    with session.begin_nested() as trial:
        flights = {make_flight(session).id for _ in range(2)}
        people = [AccountId(make_account(session).id) for _ in range(2)]
        seen = Counter[tuple[int, int, object]]()
        for person, day in sorted(asked, key=itemgetter(1)):
            where = make_opportunity(session, person_id=people[person], most_a_day=most)
            offer = service.decide(session, where, now=NOON + timedelta(days=day), draw=0.5)
            if offer is None:
                assert all(seen[person, day, flight] == most for flight in flights)
            else:
                seen[person, day, offer.flight_id] += 1
        assert all(times <= most for times in seen.values())
        trial.rollback()


def test_days_that_are_over_are_forgotten(empty_database: Database) -> None:
    with empty_database.writing() as session:
        make_flight(session)
        make_offer(session)
    for later, kept in ((NOON, 1), (NOON + timedelta(days=1), 0)):
        handlers()["ads.forget_frequencies"](JobContext(empty_database, {}, later))
        with empty_database.reading() as session:
            assert len(session.exec(select(Frequency)).all()) == kept


def test_one_person_who_runs_much_at_once_costs_a_flight_no_more(
    empty_database: Database,
) -> None:
    with empty_database.writing() as session:
        make_flight(session)
        person_id = AccountId(make_account(session).id)
        slots = [make_opportunity(session, person_id=person_id, most_a_day=3) for _ in range(8)]
    offers: list[Offer | None] = []

    def ask(number: int) -> None:
        with empty_database.writing() as session:
            offers.append(service.decide(session, slots[number], now=NOON, draw=0.1))

    _together(8, ask)
    assert sum(offer is not None for offer in offers) == 3


def test_a_click_without_a_view_is_not_counted(session: Session) -> None:
    make_flight(session, pricing=Pricing.CPC, bid=Money(500_000, "USD"))
    offer = make_offer(session)
    assert not service.record_click(session, offer.nonce, now=SEEN)
    assert offer.state is OfferState.RESERVED


def test_the_same_slot_of_a_run_gets_one_offer(session: Session) -> None:
    make_flight(session)
    where = make_opportunity(session)
    first = service.decide(session, where, now=NOON, draw=0.1)
    second = service.decide(session, where, now=NOON, draw=0.9)
    assert first is not None
    assert second is first


@pytest.mark.parametrize("age", [3, 7, 12])
def test_an_app_for_younger_children_shows_nothing(session: Session, age: int) -> None:
    make_flight(session)
    assert service.decide(session, make_opportunity(session, age=age), now=NOON, draw=0) is None


def test_nothing_is_shown_where_no_flight_fits(session: Session) -> None:
    make_flight(session, categories=("fun",))
    make_flight(session, locales=("ar",))
    make_flight(session, ends_at=NOON)
    make_flight(session, starts_at=NOON + timedelta(seconds=1))
    make_flight(session, bid=Money(9_000, "USD"))
    flight = make_flight(session)
    campaigns.set_state(session, FlightId(flight.id), FlightState.PAUSED)
    assert service.decide(session, make_opportunity(session), now=NOON, draw=0) is None
    campaigns.set_state(session, FlightId(flight.id), FlightState.LIVE)
    assert service.decide(session, make_opportunity(session), now=NOON, draw=0) is not None


def test_a_developer_who_runs_their_own_app_costs_nobody_anything(session: Session) -> None:
    flight = make_flight(session)
    app = make_listed_app(session)
    offer = make_offer(session, app=app, person_id=app.owner_id)
    assert (offer.unbilled, offer.price_micros) == ("own-app", 0)
    assert not service.record_view(session, offer.nonce, now=SEEN)
    assert not service.record_click(session, offer.nonce, now=SEEN)
    session.refresh(flight)
    assert (flight.views, flight.clicks, flight.reserved_micros) == (0, 0, 0)
    _check_book(session)


def test_an_operator_who_looks_costs_nobody_anything(session: Session) -> None:
    make_flight(session)
    operator: Account = make_account(session, is_operator=True)
    offer = make_offer(session, person_id=AccountId(operator.id))
    assert (offer.unbilled, offer.state) == ("operator", OfferState.VOID)


def test_an_offer_that_expired_is_released_and_no_longer_counts(session: Session) -> None:
    flight = make_flight(session)
    offer = make_offer(session)
    assert not service.record_view(session, offer.nonce, now=LATER)
    assert service.void_expired(session, now=LATER - timedelta(seconds=1)) == 0
    assert service.void_expired(session, now=LATER) == 1
    assert service.void_expired(session, now=LATER) == 0
    session.refresh(flight)
    assert (offer.state, flight.reserved_micros) == (OfferState.VOID, 0)
    assert not service.record_view(session, offer.nonce, now=SEEN)
    _check_book(session)


def test_a_failed_run_releases_what_was_not_seen_yet(session: Session) -> None:
    flight = make_flight(session)
    run_id, app = RunId(new_id()), make_listed_app(session)
    seen = make_offer(session, run_id=run_id, app=app, slot="top")
    unseen = make_offer(session, run_id=run_id, app=app, slot="bottom")
    other = make_offer(session)
    service.record_view(session, seen.nonce, now=SEEN)
    assert service.void_for_run(session, run_id, now=NOON) == 1
    assert [o.state for o in (seen, unseen, other)] == [
        OfferState.COMMITTED,
        OfferState.VOID,
        OfferState.RESERVED,
    ]
    session.refresh(flight)
    assert flight.committed_micros == seen.price_micros
    _check_book(session)


def test_when_the_best_has_no_money_left_the_next_is_shown(session: Session) -> None:
    poor = make_flight(session, bid=Money(5_000_000, "USD"), budget=Money(2_499, "USD"))
    rich = make_flight(session)
    offer = make_offer(session)
    # The rich one's bid would cost the poor one 2,500 millionths, and it has 2,499.
    assert offer.flight_id == rich.id
    session.refresh(poor)
    assert poor.reserved_micros == 0
    _check_book(session)


def test_an_auction_can_be_run_again_from_what_was_kept(session: Session) -> None:
    make_flight(session)
    make_flight(session, pricing=Pricing.CPC, bid=Money(100_000, "USD"))
    offer = make_offer(session)
    session.expire(offer)
    result = auction.replay(offer.decision)
    assert result is not None
    assert (result.winner, result.price_micros) == (str(offer.flight_id), offer.price_micros)


def test_a_new_share_changes_no_offer_that_was_made_before(session: Session) -> None:
    make_flight(session)
    make_flight(session)
    offer = make_offer(session)
    session.add(FeeScheme(line=Line.ADS, version=2, developer_bps=0, starts_at=NOON))
    service.record_view(session, offer.nonce, now=SEEN)
    assert _owed(session, ledger.developer(offer.developer_id)) == 1_750


@pytest.mark.parametrize("name", ["record_view", "record_click"])
def test_an_unknown_offer_is_not_found(session: Session, name: str) -> None:
    with pytest.raises(service.OfferNotFound):
        getattr(service, name)(session, "made-up", now=NOON)
    with pytest.raises(service.OfferNotFound):
        service.destination(session, "made-up")


@pytest.mark.parametrize("state", OfferState)
@pytest.mark.parametrize("target", OfferState)
def test_an_offer_moves_only_as_the_table_says(state: OfferState, target: OfferState) -> None:
    offer = Offer(state=state)
    if target in NEXT_STATES[state]:
        offer.move_to(target, now=NOON)
        assert offer.state is target
    else:
        with pytest.raises(IllegalMove):
            offer.move_to(target, now=NOON)
        assert offer.state is state


def _together(count: int, work: Callable[[int], None]) -> None:
    barrier = Barrier(count)
    failed: list[BaseException] = []

    def one(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001  (told to the test's own thread)
            failed.append(error)

    threads = [Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_many_at_once_never_promise_more_than_the_budget(empty_database: Database) -> None:
    with empty_database.writing() as session:
        # A budget of 25 views at 100 millionths each, and 40 runs that ask for one.
        flight = make_flight(session, bid=Money(100_000, "USD"), budget=Money(2_500, "USD"))
        make_flight(session, bid=Money(100_000, "USD"), budget=Money(50, "USD"))
        slots = [make_opportunity(session) for _ in range(40)]

    def ask(number: int) -> None:
        for where in slots[number::8]:
            with empty_database.writing() as session:
                offer = service.decide(session, where, now=NOON, draw=0.1)
            if offer is not None:
                with empty_database.writing() as session:
                    service.record_view(session, offer.nonce, now=SEEN)

    _together(8, ask)
    with empty_database.reading() as session:
        _check_book(session)
        flights = session.exec(select(Flight)).all()
        seen = session.exec(select(Offer).where(col(Offer.viewed_at).is_not(None))).all()
        assert sum(one.views for one in flights) == len(seen)
        spent = session.get_one(Flight, flight.id)
        assert spent.views == 25
        assert spent.committed_micros == spent.budget_micros


def test_one_view_told_by_many_at_once_is_paid_once(empty_database: Database) -> None:
    with empty_database.writing() as session:
        flight = make_flight(session)
        offer = make_offer(session)
    counted: list[bool] = []

    def tell(_number: int) -> None:
        with empty_database.writing() as session:
            counted.append(service.record_view(session, offer.nonce, now=SEEN))

    _together(6, tell)
    assert sorted(counted) == [False] * 5 + [True]
    with empty_database.reading() as session:
        _check_book(session)
        assert session.get_one(Flight, flight.id).views == 1
        assert len(session.exec(select(LedgerEntry)).all()) == 2 + 2 + 3


def test_the_job_releases_every_expired_offer(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BATCH", 2)
    with empty_database.writing() as session:
        flight = make_flight(session)
        for _ in range(5):
            make_offer(session)
    assert schedules()["ads.void_expired"] == 60
    handlers()["ads.void_expired"](JobContext(empty_database, {}, LATER))
    with empty_database.reading() as session:
        _check_book(session)
        assert session.get_one(Flight, flight.id).reserved_micros == 0


def test_who_wants_no_advertisement_that_fits_the_app_gets_those_for_every_app(
    session: Session,
) -> None:
    everywhere = make_flight(session, bid=Money(1_000_000, "USD"))
    fitting = make_flight(session, categories=("writing",))
    willing, unwilling = (make_account(session, ads_fit_app=fits) for fits in (True, False))
    assert make_offer(session, person_id=AccountId(willing.id)).flight_id == fitting.id
    assert make_offer(session, person_id=AccountId(unwilling.id)).flight_id == everywhere.id
