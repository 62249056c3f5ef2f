"""The laws of the book under any sequence of orders, refunds, news and advertisements."""

from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import Session, select

from marketplace.ads import service as ads
from marketplace.ads.auction import Pricing
from marketplace.ads.models import Flight, Offer, OfferState
from marketplace.billing import book, ledger, queries, service
from marketplace.billing.models import (
    Entitlement,
    FeeScheme,
    GatewayEvent,
    LedgerEntry,
    LedgerTransaction,
    Line,
    News,
    Order,
    OrderState,
)
from marketplace.infra.db import Database
from marketplace.kernel.ids import AccountId
from marketplace.kernel.money import Money
from tests.factories.accounts import make_account
from tests.factories.ads import NOON, make_flight, make_opportunity
from tests.factories.billing import TILL, make_listed_app, make_operator, make_product_for_sale


class MoneyMachine(RuleBasedStateMachine):
    """One store, with two apps that sell and show advertisements."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.connection = database.engine.connect()
        self.outer = self.connection.begin()
        self.session = Session(
            self.connection, join_transaction_mode="create_savepoint", expire_on_commit=False
        )
        self.now = NOON
        self.schemes = 0
        self.operator = make_operator(self.session)
        self.buyers = [AccountId(make_account(self.session).id) for _ in range(2)]
        self.apps = [make_listed_app(self.session) for _ in range(2)]
        self.products = [make_product_for_sale(self.session, app_id=app.id) for app in self.apps]
        self.orders: list[Order] = []
        self.events: list[GatewayEvent] = []
        self.offers: list[Offer] = []

    def teardown(self) -> None:
        """Leave no trace."""
        self.session.close()
        self.outer.rollback()
        self.connection.close()

    @rule(buyer=st.integers(0, 1), product=st.integers(0, 1), price=st.integers(1, 10**7))
    def order(self, buyer: int, product: int, price: int) -> None:
        wanted = self.products[product]
        wanted.price_micros = price
        try:
            made = service.checkout(
                self.session, TILL, wanted.id, buyer_id=self.buyers[buyer], now=self.now
            )
        except service.AlreadyOwned:
            return
        self.session.flush()  # the next step must find it
        if made not in self.orders:
            self.orders.append(made)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), is_paid=st.booleans())
    def tell(self, data: st.DataObject, *, is_paid: bool) -> None:
        about = data.draw(st.sampled_from(self.orders))
        notice = TILL.answer(about.payment_ref, about.amount, is_paid=is_paid)
        service.receive(self.session, notice, now=self.now)
        self.events = list(self.session.exec(select(GatewayEvent)).all())

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def handle(self, data: st.DataObject) -> None:
        event = data.draw(st.sampled_from(self.events))
        service.handle(self.session, event.id, TILL, now=self.now)

    @precondition(lambda self: any(o.state is OrderState.PAID for o in self.orders))
    @rule(data=st.data(), part=st.integers(1, 10**7) | st.none())
    def refund(self, data: st.DataObject, part: int | None) -> None:
        paid = [order for order in self.orders if order.state is OrderState.PAID]
        order = data.draw(st.sampled_from(paid))
        amount = None if part is None else Money(part, "USD")
        try:
            service.refund(
                self.session, TILL, order.id, asked_by=self.operator, amount=amount, now=self.now
            )
        except service.BadAmount:
            assert part is not None
        self.session.flush()  # the next step must find it

    @rule(line=st.sampled_from(Line), bps=st.integers(0, 10_000))
    def change_shares(self, line: Line, bps: int) -> None:
        self.schemes += 1
        self.session.add(
            FeeScheme(line=line, version=10 + self.schemes, developer_bps=bps, starts_at=NOON)
        )
        self.session.flush()  # the next order must find it

    @rule(
        pricing=st.sampled_from(Pricing),
        bid=st.integers(10_000, 5_000_000),
        budget=st.integers(1, 20_000),
    )
    def advertise(self, pricing: Pricing, bid: int, budget: int) -> None:
        make_flight(
            self.session,
            pricing=pricing,
            bid=Money(bid, "USD"),
            budget=Money(budget, "USD"),
            ends_at=NOON + timedelta(days=365),
        )

    @rule(app=st.integers(0, 1), draw=st.floats(0, 1, exclude_max=True))
    def offer(self, app: int, draw: float) -> None:
        where = make_opportunity(self.session, app=self.apps[app], person_id=self.buyers[0])
        made = ads.decide(self.session, where, now=self.now, draw=draw)
        if made is not None:
            self.session.flush()  # the next step must find it
            self.offers.append(made)

    @precondition(lambda self: self.offers)
    @rule(data=st.data(), is_click=st.booleans())
    def look(self, data: st.DataObject, *, is_click: bool) -> None:
        self.now += ads.SEEN
        nonce = data.draw(st.sampled_from(self.offers)).nonce
        (ads.record_click if is_click else ads.record_view)(self.session, nonce, now=self.now)

    @rule()
    def wait(self) -> None:
        self.now += timedelta(minutes=40)
        ads.void_expired(self.session, now=self.now)

    @invariant()
    def every_transaction_balances_and_has_a_key_of_its_own(self) -> None:
        sums: dict[object, int] = {}
        for entry in self.session.exec(select(LedgerEntry)).all():
            sums[entry.transaction_id] = sums.get(entry.transaction_id, 0) + entry.amount_micros
        rows = self.session.exec(select(LedgerTransaction)).all()
        assert set(sums) == {row.id for row in rows}
        assert set(sums.values()) <= {0}
        assert len({row.external_key for row in rows}) == len(rows)
        assert all(row.external_key for row in rows)

    @invariant()
    def parts_of_an_order_follow_its_own_scheme_and_never_go_below_nothing(self) -> None:
        for order in self.orders:
            left = book.remaining(self.session, order.id)
            assert all(part.micros >= 0 for part in left.values())
            total = sum(part.micros for part in left.values())
            assert (total > 0) is (order.state is OrderState.PAID)
            if total == order.amount_micros:
                scheme = self.session.get_one(FeeScheme, order.scheme_id).scheme()
                part, _store = scheme.split(order.amount)
                mine = left.get(ledger.developer(order.developer_id), Money.zero("USD"))
                assert mine == part

    @invariant()
    def no_payment_that_was_told_is_lost(self) -> None:
        keys = {row.external_key for row in self.session.exec(select(LedgerTransaction)).all()}
        told = {e.payment_ref for e in self.events if e.handled_at and e.news is News.PAID}
        paid = [order for order in self.orders if order.payment_ref in told]
        assert {service.paid_key(order.id) for order in paid} <= keys
        assert {order.state for order in paid} <= {OrderState.PAID, OrderState.REFUNDED}

    @invariant()
    def who_paid_and_only_who_paid_is_entitled(self) -> None:
        live = {
            granted.order_id
            for granted in self.session.exec(select(Entitlement)).all()
            if granted.revoked_at is None
        }
        assert live == {order.id for order in self.orders if order.state is OrderState.PAID}

    @invariant()
    def flights_say_what_the_book_says_and_stay_in_budget(self) -> None:
        flights = select(Flight).execution_options(populate_existing=True)
        for flight in self.session.exec(flights).all():
            assert 0 <= flight.reserved_micros + flight.committed_micros <= flight.budget_micros
            reserved = book.balance(self.session, ledger.reserved(flight.campaign_id), "USD")
            prepaid = book.balance(self.session, ledger.prepaid(flight.campaign_id), "USD")
            assert (-reserved.micros, -prepaid) == (flight.reserved_micros, flight.remaining)

    @invariant()
    def developers_are_owed_what_sales_and_views_brought(self) -> None:
        committed = sum(o.price_micros for o in self.offers if o.state is OfferState.COMMITTED)
        kept = sum(
            part.micros
            for order in self.orders
            for part in book.remaining(self.session, order.id).values()
        )
        accounts = {app.owner_id for app in self.apps}
        owed = sum(money.micros for one in accounts for money in queries.owed(self.session, one))
        store = sum(
            -book.balance(self.session, account, "USD").micros
            for account in (ledger.COMMISSION, ledger.ADS_MARGIN)
        )
        assert owed + store == committed + kept


def test_the_book_keeps_its_laws_whatever_happens(database: Database) -> None:
    run_state_machine_as_test(
        lambda: MoneyMachine(database),
        settings=settings(
            max_examples=8,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
