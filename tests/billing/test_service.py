"""Buying and giving back: who pays what to whom, once, whatever is pressed how often."""

from datetime import timedelta
from threading import Barrier, Thread
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from marketplace.accounts.models import Account
from marketplace.billing import ledger, queries, service
from marketplace.billing.jobs import handlers
from marketplace.billing.models import (
    NEXT_STATES,
    Entitlement,
    FeeScheme,
    GatewayEvent,
    IllegalMove,
    Line,
    News,
    Order,
    OrderState,
    Refund,
)
from marketplace.billing.ports import Notice
from marketplace.infra.db import Database
from marketplace.infra.jobs import Job, JobContext
from marketplace.kernel.errors import CaravanError
from marketplace.kernel.ids import AccountId, ProductId, new_id
from marketplace.kernel.money import Money
from tests.factories.accounts import make_account
from tests.factories.billing import (
    NOON,
    TILL,
    make_actor,
    make_operator,
    make_order,
    make_product_for_sale,
)

DAY = timedelta(days=1)


def _buyer(session: Session, order: Order) -> service.Actor:
    return make_actor(session.get_one(Account, order.buyer_id))


def _owed(session: Session, order: Order) -> list[int]:
    return [money.micros for money in queries.owed(session, order.developer_id)]


def test_a_paid_order_splits_the_price_and_opens_the_app(session: Session) -> None:
    order = make_order(session)
    assert queries.product_needed(session, order.buyer_id, order.app_id) is not None
    service.confirm_payment(session, order, now=NOON)
    assert (order.state, order.paid_at) == (OrderState.PAID, NOON)
    assert dict(queries.trial_balance(session)) == {
        ledger.TILL: Money(4_990_000, "USD"),
        ledger.developer(order.developer_id): Money(-4_241_500, "USD"),
        ledger.COMMISSION: Money(-748_500, "USD"),
    }
    assert queries.entitled(session, order.buyer_id, order.app_id, "whole")
    assert queries.product_needed(session, order.buyer_id, order.app_id) is None


@pytest.mark.parametrize("state", OrderState)
@pytest.mark.parametrize("target", OrderState)
def test_an_order_moves_only_as_the_table_says(
    session: Session, state: OrderState, target: OrderState
) -> None:
    order = make_order(session, state=state)
    if target in NEXT_STATES[state]:
        order.move_to(target, now=NOON + DAY)
        assert (order.state, order.state_changed_at) == (target, NOON + DAY)
    else:
        with pytest.raises(IllegalMove):
            order.move_to(target, now=NOON + DAY)
        assert (order.state, order.state_changed_at) == (state, NOON)


def test_coming_back_to_the_checkout_gives_the_same_order(session: Session) -> None:
    product = make_product_for_sale(session)
    first = make_order(session, product=product)
    again = service.checkout(
        session, TILL, ProductId(product.id), buyer_id=first.buyer_id, now=NOON + DAY
    )
    assert again.id == first.id


def test_an_order_at_an_old_price_cannot_be_paid_any_more(session: Session) -> None:
    product = make_product_for_sale(session)
    old = make_order(session, product=product)
    product.price_micros = 9_990_000
    new = make_order(session, product=product, buyer_id=old.buyer_id, now=NOON + DAY)
    assert (old.state, new.state) == (OrderState.DECLINED, OrderState.AWAITING)
    assert new.amount == Money(9_990_000, "USD")


def test_what_is_owned_cannot_be_bought_again_until_it_went_back(session: Session) -> None:
    product = make_product_for_sale(session)
    order = make_order(session, product=product, state=OrderState.PAID)
    with pytest.raises(service.AlreadyOwned, match="already have this"):
        make_order(session, product=product, buyer_id=order.buyer_id)
    service.refund(session, TILL, order.id, asked_by=_buyer(session, order), now=NOON)
    again = make_order(session, product=product, buyer_id=order.buyer_id)
    assert again.id != order.id


def test_a_developer_needs_not_and_cannot_buy_their_own_app(session: Session) -> None:
    product = make_product_for_sale(session)
    owner = make_order(session, product=product).developer_id
    assert queries.entitled(session, owner, product.app_id, "anything")
    assert queries.product_needed(session, owner, product.app_id) is None
    with pytest.raises(service.OwnApp):
        make_order(session, product=product, buyer_id=owner)


def test_what_is_not_on_sale_cannot_be_ordered(session: Session) -> None:
    product = make_product_for_sale(session, active=False)
    for product_id in (product.id, new_id()):
        with pytest.raises(service.ProductNotFound):
            service.checkout(
                session,
                TILL,
                ProductId(product_id),
                buyer_id=AccountId(make_account(session).id),
                now=NOON,
            )


@pytest.mark.parametrize(
    ("bought", "now_unlocks"), [("app", "feature"), ("feature", "app"), ("feature", "feature")]
)
def test_a_product_that_opens_something_else_by_now_takes_nothing_from_its_buyers(
    session: Session, bought: str, now_unlocks: str
) -> None:
    product = make_product_for_sale(session, unlocks=bought)
    order = make_order(session, product=product, state=OrderState.PAID)
    product.unlocks = now_unlocks
    other = make_product_for_sale(session, app_id=product.app_id, key="other")
    needed = queries.product_needed(session, order.buyer_id, order.app_id)
    is_open = "app" in {bought, now_unlocks}
    assert needed == (None if is_open else other)


def test_a_visitor_is_told_what_the_app_needs(session: Session) -> None:
    product = make_product_for_sale(session)
    assert queries.product_needed(session, None, product.app_id) == product


def test_a_new_share_changes_no_order_that_was_made_before(session: Session) -> None:
    order = make_order(session)
    session.add(FeeScheme(line=Line.APPS, version=2, developer_bps=5000, starts_at=NOON + DAY))
    session.flush()  # the scheme must be found by the next order
    service.confirm_payment(session, order, now=NOON + 2 * DAY)
    assert _owed(session, order) == [4_241_500]
    later = make_order(session, state=OrderState.PAID, now=NOON + 2 * DAY)
    assert _owed(session, later) == [2_495_000]


def test_a_refund_takes_everything_back_and_closes_the_app(session: Session) -> None:
    order = make_order(session, state=OrderState.PAID)
    given = service.refund(session, TILL, order.id, asked_by=_buyer(session, order), now=NOON)
    assert given.amount_micros == 4_990_000
    assert order.state is OrderState.REFUNDED
    assert {money.micros for _, money in queries.trial_balance(session)} == {0}
    assert not queries.entitled(session, order.buyer_id, order.app_id, "whole")
    assert queries.product_needed(session, order.buyer_id, order.app_id) is not None


def test_a_second_refund_changes_nothing(session: Session) -> None:
    order = make_order(session, state=OrderState.PAID)
    buyer = _buyer(session, order)
    first = service.refund(session, TILL, order.id, asked_by=buyer, now=NOON)
    session.flush()  # the refund must be found by the second
    second = service.refund(session, TILL, order.id, asked_by=buyer, now=NOON + DAY)
    assert second.id == first.id
    assert len(session.exec(select(Refund)).all()) == 1


def test_after_fourteen_days_only_the_store_can_give_back(session: Session) -> None:
    order = make_order(session, state=OrderState.PAID)
    late = NOON + 14 * DAY + timedelta(seconds=1)
    with pytest.raises(service.RefundTooLate, match="14 days"):
        service.refund(session, TILL, order.id, asked_by=_buyer(session, order), now=late)
    service.refund(session, TILL, order.id, asked_by=make_operator(session), now=late)
    assert order.state is OrderState.REFUNDED


@pytest.mark.parametrize("state", [OrderState.AWAITING, OrderState.DECLINED])
def test_what_was_not_paid_cannot_go_back(session: Session, state: OrderState) -> None:
    order = make_order(session, state=state)
    with pytest.raises(CaravanError):
        service.refund(session, TILL, order.id, asked_by=_buyer(session, order), now=NOON)
    assert session.exec(select(Refund)).all() == []


def test_an_order_of_somebody_else_does_not_exist(session: Session) -> None:
    order = make_order(session, state=OrderState.PAID)
    stranger = make_actor(make_account(session))
    with pytest.raises(service.OrderNotFound):
        service.refund(session, TILL, order.id, asked_by=stranger, now=NOON)


def test_a_part_given_back_keeps_the_app_and_shrinks_both_shares(session: Session) -> None:
    order = make_order(session, state=OrderState.PAID)
    operator = make_operator(session)
    part = Money(1_000_000, "USD")
    service.refund(session, TILL, order.id, asked_by=operator, amount=part, now=NOON)
    assert order.state is OrderState.PAID
    assert _owed(session, order) == [4_241_500 - 850_000]
    assert queries.entitled(session, order.buyer_id, order.app_id, "whole")


@pytest.mark.parametrize(
    "amount", [Money(0, "USD"), Money(-1, "USD"), Money(4_990_001, "USD"), Money(1, "EUR")]
)
def test_no_more_goes_back_than_was_paid(session: Session, amount: Money) -> None:
    order = make_order(session, state=OrderState.PAID)
    with pytest.raises(service.BadAmount):
        service.refund(
            session, TILL, order.id, asked_by=make_operator(session), amount=amount, now=NOON
        )
    assert _owed(session, order) == [4_241_500]


def test_a_buyer_gives_back_the_whole_or_nothing(session: Session) -> None:
    order = make_order(session, state=OrderState.PAID)
    half = Money(2_000_000, "USD")
    with pytest.raises(service.BadAmount):
        service.refund(
            session, TILL, order.id, asked_by=_buyer(session, order), amount=half, now=NOON
        )


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from([True, False]), min_size=1, max_size=4), st.randoms())
def test_news_in_any_order_and_number_ends_the_same(
    session: Session, answers: list[bool], shuffle: object
) -> None:
    order = make_order(session)
    events = []
    for is_paid in answers:
        notice = TILL.answer(order.payment_ref, order.amount, is_paid=is_paid)
        service.receive(session, notice, now=NOON)
    rows = session.exec(
        select(GatewayEvent).where(GatewayEvent.payment_ref == order.payment_ref)
    ).all()
    assert len(rows) == len(set(answers))
    events = [row.id for row in rows] * 2
    shuffle.shuffle(events)  # type: ignore[attr-defined]
    for event_id in events:
        service.handle(session, event_id, TILL, now=NOON)
    assert order.state is (OrderState.PAID if True in answers else OrderState.DECLINED)
    granted = session.exec(select(Entitlement).where(Entitlement.order_id == order.id)).all()
    assert len(granted) == (order.state is OrderState.PAID)
    assert sum(money.micros for _, money in queries.trial_balance(session)) == 0


def _tell_paid(session: Session, order: Order) -> UUID:
    service.receive(session, TILL.answer(order.payment_ref, order.amount, is_paid=True), now=NOON)
    return session.exec(
        select(GatewayEvent.id).where(GatewayEvent.payment_ref == order.payment_ref)
    ).one()


def test_an_order_whose_payment_is_on_its_way_is_not_replaced(session: Session) -> None:
    product = make_product_for_sale(session)
    order = make_order(session, product=product)
    event_id = _tell_paid(session, order)
    product.price_micros = 9_990_000
    again = make_order(session, product=product, buyer_id=order.buyer_id)
    assert (again.id, order.state) == (order.id, OrderState.AWAITING)
    service.handle(session, event_id, TILL, now=NOON)
    assert order.state is OrderState.PAID


def test_money_that_comes_after_its_order_was_declined_buys_the_product(session: Session) -> None:
    product = make_product_for_sale(session)
    order = make_order(session, product=product)
    product.price_micros = 9_990_000
    newer = make_order(session, product=product, buyer_id=order.buyer_id)
    service.handle(session, _tell_paid(session, order), TILL, now=NOON)
    assert (order.state, newer.state) == (OrderState.PAID, OrderState.DECLINED)
    assert queries.entitled(session, order.buyer_id, order.app_id, "whole")
    assert _owed(session, order) == [4_241_500]


def test_money_for_what_is_owned_by_now_goes_back(session: Session) -> None:
    product = make_product_for_sale(session)
    order = make_order(session, product=product)
    product.price_micros = 9_990_000
    make_order(session, product=product, buyer_id=order.buyer_id, state=OrderState.PAID)
    service.handle(session, _tell_paid(session, order), TILL, now=NOON)
    session.flush()  # the refund must be found
    assert order.state is OrderState.REFUNDED
    [back] = session.exec(select(Refund)).all()
    assert (back.order_id, back.amount_micros) == (order.id, 4_990_000)
    assert _owed(session, order) == [9_990_000 * 85 // 100]
    assert queries.entitled(session, order.buyer_id, order.app_id, "whole")


def test_news_enqueues_one_job_however_often_it_comes(session: Session) -> None:
    order = make_order(session)
    notice = TILL.answer(order.payment_ref, order.amount, is_paid=True)
    assert service.receive(session, notice, now=NOON)
    assert not service.receive(session, notice, now=NOON)
    session.flush()  # the job must be found
    [job] = session.exec(select(Job)).all()
    assert job.name == "billing.handle_event"
    assert UUID(job.payload["event_id"])


def test_a_payment_over_another_amount_opens_nothing(session: Session) -> None:
    order = make_order(session)
    notice = TILL.answer(order.payment_ref, Money(1, "USD"), is_paid=True)
    service.receive(session, notice, now=NOON)
    [row] = session.exec(select(GatewayEvent)).all()
    with pytest.raises(service.WrongAmount):
        service.handle(session, row.id, TILL, now=NOON)
    assert order.state is OrderState.AWAITING


def test_news_that_is_quicker_than_the_order_is_tried_again(session: Session) -> None:
    notice = Notice("till", "x:paid", News.PAID, "till_unknown", Money(1, "USD"))
    service.receive(session, notice, now=NOON)
    [row] = session.exec(select(GatewayEvent)).all()
    with pytest.raises(LookupError):
        service.handle(session, row.id, TILL, now=NOON)
    assert row.handled_at is None


def test_the_job_confirms_the_payment(empty_database: Database) -> None:
    with empty_database.writing() as session:
        order = make_order(session)
        notice = TILL.answer(order.payment_ref, order.amount, is_paid=True)
        service.receive(session, notice, now=NOON)
    with empty_database.reading() as session:
        job = session.exec(select(Job)).one()
    for _twice in range(2):
        handlers()[job.name](JobContext(empty_database, job.payload, NOON))
    with empty_database.reading() as session:
        assert session.get_one(Order, order.id).state is OrderState.PAID
        assert queries.entitled(session, order.buyer_id, order.app_id, "whole")
        assert _owed(session, order) == [4_241_500]


def _together(count: int, work: object) -> list[BaseException]:
    barrier, failed = Barrier(count), []

    def one() -> None:
        barrier.wait()
        try:
            work()  # type: ignore[operator]
        except CaravanError as error:
            failed.append(error)

    threads = [Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def test_buying_twice_at_the_same_moment_makes_one_order(empty_database: Database) -> None:
    with empty_database.writing() as session:
        product = make_product_for_sale(session)
        buyer_id = AccountId(make_account(session).id)

    def buy() -> None:
        with empty_database.writing() as session:
            service.checkout(session, TILL, ProductId(product.id), buyer_id=buyer_id, now=NOON)

    assert _together(4, buy) == []
    with empty_database.reading() as session:
        assert len(session.exec(select(Order)).all()) == 1


def test_giving_back_twice_at_the_same_moment_gives_back_once(empty_database: Database) -> None:
    with empty_database.writing() as session:
        order = make_order(session, state=OrderState.PAID)
        buyer = _buyer(session, order)

    def give_back() -> None:
        with empty_database.writing() as session:
            service.refund(session, TILL, order.id, asked_by=buyer, now=NOON)

    assert _together(4, give_back) == []
    with empty_database.reading() as session:
        assert len(session.exec(select(Refund)).all()) == 1
        assert {money.micros for _, money in queries.trial_balance(session)} == {0}
