"""Buying and giving back: orders, what the gateway tells of them, entitlements."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from marketplace.billing import book, shares
from marketplace.billing.models import (
    Entitlement,
    FeeScheme,
    GatewayEvent,
    Line,
    News,
    Order,
    OrderState,
    Refund,
)
from marketplace.billing.ports import Gateway, Notice
from marketplace.catalog.models import App, AppState, Product
from marketplace.infra import jobs
from marketplace.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from marketplace.kernel.ids import AccountId, OrderId, ProductId, new_id
from marketplace.kernel.money import Money
from marketplace.web.auth import Actor
from marketplace.web.i18n import gettext as _

REFUND_DAYS = 14
FIRST_BPS = {Line.APPS: 8500, Line.ADS: 7000}

log = structlog.get_logger()


class ProductNotFound(NotFound):
    """No product on sale has this id."""


class OrderNotFound(NotFound):
    """No order has this id, or it belongs to somebody else."""


class AlreadyOwned(Conflict):
    """The person has this product."""


class OwnApp(Conflict):
    """A developer wants to buy from themselves."""


class RefundTooLate(Forbidden):
    """The days in which a buyer may give a product back are over."""


class BadAmount(Invalid):
    """More, or less than nothing, would be given back."""


class WrongAmount(Conflict):
    """A gateway reports another amount than the order's."""


def scheme_in_force(session: Session, line: Line, *, now: datetime) -> FeeScheme:
    """How a line of business is shared at `now`; a new store starts with its first scheme."""
    found = _newest_scheme(session, line, now)
    if found is not None:
        return found
    first = FeeScheme(line=line, version=1, developer_bps=FIRST_BPS[line], starts_at=now)
    try:
        with session.begin_nested():
            session.add(first)
    except IntegrityError:
        # Another process has just made it.
        return session.exec(select(FeeScheme).where(FeeScheme.line == line)).one()
    return first


def share_bps(session: Session, line: Line, *, now: datetime) -> int:
    """The developers' share at `now`, in basis points. Changes nothing."""
    found = _newest_scheme(session, line, now)
    return found.developer_bps if found is not None else FIRST_BPS[line]


def _newest_scheme(session: Session, line: Line, now: datetime) -> FeeScheme | None:
    return session.exec(
        select(FeeScheme)
        .where(FeeScheme.line == line, FeeScheme.starts_at <= now)
        .order_by(col(FeeScheme.version).desc())
    ).first()


def on_sale(session: Session, product_id: ProductId) -> tuple[Product, App]:
    """A product that can be bought, and its app. Raises: ProductNotFound."""
    product = session.get(Product, product_id)
    app = session.get(App, product.app_id) if product is not None and product.active else None
    if product is None or app is None or app.state is not AppState.LISTED:
        raise ProductNotFound(_("This is not on sale. The app's page shows what is."))
    return product, app


def checkout(
    session: Session, gateway: Gateway, product_id: ProductId, *, buyer_id: AccountId, now: datetime
) -> Order:
    """An order for one product, waiting to be paid.

    A buyer who left the till without paying gets the same order again, and so does one whose
    payment is on its way.
    Raises: ProductNotFound, OwnApp, AlreadyOwned.
    """
    product, app = on_sale(session, product_id)
    if app.owner_id == buyer_id:
        raise OwnApp(_("This app is yours: you can use all of it without paying."))
    scheme = scheme_in_force(session, Line.APPS, now=now)
    order_id = OrderId(new_id())
    order = Order(
        id=order_id,
        buyer_id=buyer_id,
        product_id=product_id,
        product_name=product.name,
        unlocks=product.unlocks,
        app_id=app.id,
        developer_id=app.owner_id,
        amount_micros=product.price_micros,
        currency=product.currency,
        scheme_id=scheme.id,
        gateway=gateway.name,
        payment_ref=gateway.payment_ref(order_id),
        state_changed_at=now,
        created_at=now,
    )
    live = _live_order(session, buyer_id, product_id)
    if live is None:
        try:
            with session.begin_nested():
                session.add(order)
        except IntegrityError:
            # The same person has just ordered it in another window.
            live = _live_order(session, buyer_id, product_id)
            if live is None:
                raise
        else:
            return order
    if live.state is OrderState.PAID:
        raise AlreadyOwned(_("You already have this. Open the app and use it."))
    if live.amount == Money(product.price_micros, product.currency) or _is_being_paid(
        session, live
    ):
        return live
    # The price changed while the order waited: the old one must not be paid any more.
    live.move_to(OrderState.DECLINED, now=now)
    session.flush()  # only one live order may be in the database
    session.add(order)
    return order


def _live_order(session: Session, buyer_id: AccountId, product_id: ProductId) -> Order | None:
    return session.exec(
        select(Order)
        .where(
            Order.buyer_id == buyer_id,
            Order.product_id == product_id,
            col(Order.state).in_([OrderState.AWAITING, OrderState.PAID]),
        )
        .with_for_update()
    ).first()


def _is_being_paid(session: Session, order: Order) -> bool:
    """Whether a gateway has told that it is paid, and the worker has not come to it yet."""
    news = session.exec(
        select(GatewayEvent.id).where(
            GatewayEvent.source == order.gateway,
            GatewayEvent.payment_ref == order.payment_ref,
            GatewayEvent.news == News.PAID,
            col(GatewayEvent.handled_at).is_(None),
        )
    ).first()
    return news is not None


def own_order(session: Session, order_id: OrderId, person: Actor) -> Order:
    """An order of this person, or any for an operator. Raises: OrderNotFound."""
    order = session.get(Order, order_id)
    if order is None or (order.buyer_id != person.id and not person.is_operator):
        raise OrderNotFound(_("There is no such order. Your purchases list has yours."))
    return order


def receive(session: Session, notice: Notice, *, now: datetime) -> bool:
    """Keep a gateway's news and enqueue what follows from it.

    Returns: whether it is new; news that came before changes nothing.
    Effects: one GatewayEvent, one job `billing.handle_event`.
    """
    row = GatewayEvent(
        source=notice.source,
        external_id=notice.external_id,
        news=notice.news,
        payment_ref=notice.payment_ref,
        amount_micros=notice.amount.micros,
        currency=notice.amount.currency,
        received_at=now,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        log.info("billing.news_repeated", source=notice.source, id=notice.external_id)
        return False
    jobs.enqueue(session, "billing.handle_event", event_id=str(row.id))
    return True


def handle(session: Session, event_id: UUID, gateway: Gateway, *, now: datetime) -> None:
    """Do what a gateway's news asks for, once, in whatever order news arrives.

    Args:
        gateway: gives back what was paid for an order when another took its place.
    Raises: WrongAmount; LookupError when no order has this payment (yet): the job tries again.
    """
    row = session.get_one(GatewayEvent, event_id, with_for_update=True)
    if row.handled_at is not None:
        return
    order = session.exec(
        select(Order)
        .where(Order.gateway == row.source, Order.payment_ref == row.payment_ref)
        .with_for_update()
    ).first()
    if order is None:
        raise LookupError(f"No order waits for the payment {row.payment_ref}.")
    if Money(row.amount_micros, row.currency) != order.amount:
        raise WrongAmount(f"The payment {row.payment_ref} is not over the order's amount.")
    match order.state, row.news:
        case OrderState.AWAITING, News.PAID:
            confirm_payment(session, order, now=now)
        case OrderState.AWAITING, News.DECLINED:
            order.move_to(OrderState.DECLINED, now=now)
        case OrderState.DECLINED, News.PAID:
            _confirm_late(session, order, gateway, now=now)
        case _:
            log.info("billing.news_late", order=str(order.id), state=order.state, news=row.news)
    row.handled_at = now


def _confirm_late(session: Session, order: Order, gateway: Gateway, *, now: datetime) -> None:
    """Take the money of an order that was declined before it came.

    The buyer gets what they paid for in place of an order that still waits. Who has the product
    by another order gets the money back.
    """
    live = _live_order(session, order.buyer_id, order.product_id)
    if live is not None and live.state is OrderState.PAID:
        _book_sale(session, order, now=now)
        left = book.remaining(session, order.id)
        _give_back(session, gateway, order, order.amount, left, asked_by=order.buyer_id, now=now)
        # Both at once: only one order may be seen paid in the database.
        order.move_to(OrderState.PAID, now=now)
        order.move_to(OrderState.REFUNDED, now=now)
        return
    if live is not None:
        live.move_to(OrderState.DECLINED, now=now)
        session.flush()  # only one live order may be in the database
    confirm_payment(session, order, now=now)


def confirm_payment(session: Session, order: Order, *, now: datetime) -> None:
    """The money is there: book it, and give the buyer what they paid for.

    Effects: a ledger transaction, an Entitlement. Raises: IllegalMove.
    """
    order.move_to(OrderState.PAID, now=now)
    _book_sale(session, order, now=now)
    session.add(
        Entitlement(
            person_id=order.buyer_id,
            app_id=order.app_id,
            product_id=order.product_id,
            order_id=order.id,
            granted_at=now,
        )
    )


def _book_sale(session: Session, order: Order, *, now: datetime) -> None:
    order.paid_at = now
    scheme = session.get_one(FeeScheme, order.scheme_id).scheme()
    sale = shares.sale(paid_key(order.id), order.amount, scheme, order.developer_id)
    book.post(session, sale, subject_id=order.id, app_id=order.app_id, now=now)


def paid_key(order_id: OrderId) -> str:
    """The external key of an order's payment in the book."""
    return f"order:{order_id}:paid"


def refundable_until(order: Order) -> datetime | None:
    """Until when the buyer may give it back by themselves; None for what is not paid."""
    if order.paid_at is None or order.state is not OrderState.PAID:
        return None
    return order.paid_at + timedelta(days=REFUND_DAYS)


def refund(
    session: Session,
    gateway: Gateway,
    order_id: OrderId,
    *,
    asked_by: Actor,
    amount: Money | None = None,
    now: datetime,
) -> Refund:
    """Give money back for an order, and take the product back once all of it is returned.

    Args:
        amount: operators may give back a part; everything that is left when not given.
    Returns: the refund; for an order given back before, the one there was.
    Raises: OrderNotFound, IllegalMove, RefundTooLate, BadAmount.
    Effects: a Refund, a ledger transaction, the Entitlement's end.
    """
    own_order(session, order_id, asked_by)
    # Two windows may ask together: the second waits here, then finds it done.
    order = session.get_one(Order, order_id, with_for_update=True, populate_existing=True)
    done = _last_refund(session, order)
    if order.state is OrderState.REFUNDED and done is not None:
        return done
    if order.state is not OrderState.PAID:
        order.move_to(OrderState.REFUNDED, now=now)
    _check_may_refund(order, asked_by, amount, now)
    left = book.remaining(session, order.id)
    left_in_all = Money(sum(part.micros for part in left.values()), order.currency)
    amount = amount or left_in_all
    if amount.currency != order.currency or not 0 < amount.micros <= left_in_all.micros:
        raise BadAmount(_("Give back more than nothing, and no more than is left of the payment."))
    row = _give_back(session, gateway, order, amount, left, asked_by=asked_by.id, now=now)
    if amount == left_in_all:
        order.move_to(OrderState.REFUNDED, now=now)
        _revoke(session, order, now)
    return row


def _give_back(
    session: Session,
    gateway: Gateway,
    order: Order,
    amount: Money,
    left: Mapping[str, Money],
    *,
    asked_by: AccountId,
    now: datetime,
) -> Refund:
    refund_id = new_id()
    row = Refund(
        id=refund_id,
        order_id=order.id,
        amount_micros=amount.micros,
        currency=amount.currency,
        asked_by=asked_by,
        gateway_ref=gateway.give_back(order.payment_ref, refund_id, amount),
        created_at=now,
    )
    session.add(row)
    back = shares.refund(f"refund:{refund_id}", amount, left, corrects=paid_key(order.id))
    book.post(session, back, subject_id=order.id, app_id=order.app_id, now=now)
    return row


def _last_refund(session: Session, order: Order) -> Refund | None:
    return session.exec(
        select(Refund).where(Refund.order_id == order.id).order_by(col(Refund.created_at).desc())
    ).first()


def _check_may_refund(order: Order, asked_by: Actor, amount: Money | None, now: datetime) -> None:
    if asked_by.is_operator:
        return
    if amount is not None:
        raise BadAmount(_("You can give back an order as a whole."))
    until = refundable_until(order)
    if until is None or now > until:
        raise RefundTooLate(
            _("The %(n)s days to give this back are over. Ask the store.", n=REFUND_DAYS)
        )


def _revoke(session: Session, order: Order, now: datetime) -> None:
    granted = session.exec(select(Entitlement).where(Entitlement.order_id == order.id)).one()
    granted.revoked_at = now
