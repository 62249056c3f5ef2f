"""Buying, the play-money till, orders, purchases, statements, and the operator's ledger."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.billing import queries, service
from marketplace.billing.models import Order, OrderState
from marketplace.billing.till import Till
from marketplace.catalog import queries as catalog
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import OrderId, ProductId
from marketplace.kernel.money import Money
from marketplace.web.auth import (
    actor_id,
    developer_only,
    known_actor,
    operator_only,
    signed_in_only,
)
from marketplace.web.edge import db
from marketplace.web.i18n import current_locale, format_money
from marketplace.web.i18n import gettext as _
from marketplace.web.paging import asked_page
from marketplace.web.templating import send_letter

bp = Blueprint("billing", __name__)
TILL = Till()


def _own(order_id: UUID) -> Order:
    return service.own_order(db(), OrderId(order_id), known_actor())


@bp.get("/checkout/<uuid:product_id>")
@signed_in_only
def checkout(product_id: UUID) -> ResponseReturnValue:
    """What is about to be bought, and for how much."""
    page = queries.checkout_page(db(), ProductId(product_id), locale=current_locale())
    return render_template("billing/checkout.html", page=page)


@bp.post("/checkout/<uuid:product_id>")
@signed_in_only
def order_product(product_id: UUID) -> ResponseReturnValue:
    """Order it and go to pay."""
    order = service.checkout(db(), TILL, ProductId(product_id), buyer_id=actor_id(), now=utc_now())
    return redirect(TILL.payment_path(order.id), code=303)


@bp.get("/till/<uuid:order_id>")
@signed_in_only
def till(order_id: UUID) -> ResponseReturnValue:
    """The play-money till."""
    order = _own(order_id)
    if order.state is not OrderState.AWAITING:
        return redirect(url_for("billing.order", order_id=order.id), code=303)
    page = queries.till_page(db(), order, locale=current_locale())
    return render_template("billing/till.html", page=page)


@bp.post("/till/<uuid:order_id>")
@signed_in_only
def pay(order_id: UUID) -> ResponseReturnValue:
    """Pay with play money, or decline; the order hears of it the way it would from a bank."""
    order = service.own_order(db(), OrderId(order_id), known_actor())
    is_paid = request.form.get("answer") == "pay"
    if order.buyer_id == actor_id() and order.state is OrderState.AWAITING:
        notice = TILL.answer(order.payment_ref, order.amount, is_paid=is_paid)
        # The letter goes now: its words are in the language of the person who pays.
        if service.receive(db(), notice, now=utc_now()) and is_paid:
            _write_to_buyer("receipt", order, order.amount)
    return redirect(url_for("billing.order", order_id=order.id), code=303)


def _write_to_buyer(event: str, order: Order, amount: Money) -> None:
    person = known_actor()
    _app, name = catalog.app_and_name(db(), order.app_id, locale=current_locale())
    send_letter(
        db(),
        event,
        to=person.email,
        app_name=name,
        amount=format_money(amount),
        url=url_for("billing.order", order_id=order.id, _external=True),
    )


@bp.get("/orders/<uuid:order_id>")
@signed_in_only
def order(order_id: UUID) -> ResponseReturnValue:
    """One order: its receipt, where the money went, and the way back."""
    page = queries.order_page(
        db(), _own(order_id), known_actor(), locale=current_locale(), now=utc_now()
    )
    return render_template("billing/order.html", page=page)


@bp.post("/orders/<uuid:order_id>/refund")
@signed_in_only
def refund(order_id: UUID) -> ResponseReturnValue:
    """Give an order back."""
    was = _own(order_id)
    is_first = was.state is OrderState.PAID
    given = service.refund(db(), TILL, was.id, asked_by=known_actor(), now=utc_now())
    amount = Money(given.amount_micros, given.currency)
    if is_first and was.buyer_id == actor_id():
        _write_to_buyer("refund", was, amount)
    flash(_("%(amount)s went back.", amount=format_money(amount)), "success")
    return redirect(url_for("billing.order", order_id=was.id), code=303)


@bp.get("/purchases")
@signed_in_only
def purchases() -> ResponseReturnValue:
    """What this person bought."""
    page = queries.purchases(db(), actor_id(), number=asked_page(), locale=current_locale())
    return render_template("billing/purchases.html", page=page)


@bp.get("/portal/earnings")
@developer_only
def earnings() -> ResponseReturnValue:
    """A developer's statement."""
    page = queries.statement(
        db(), actor_id(), number=asked_page(), locale=current_locale(), now=utc_now()
    )
    return render_template("billing/earnings.html", page=page)


@bp.get("/admin/ledger")
@operator_only
def ledger() -> ResponseReturnValue:
    """The book: the trial balance, and what was posted last."""
    page = queries.ledger_page(db(), number=asked_page())
    return render_template("billing/ledger.html", page=page)
