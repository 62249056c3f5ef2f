"""Apps with something to sell, the people around them, and orders in any state."""

from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session

from marketplace.accounts.models import Account
from marketplace.billing import service
from marketplace.billing.models import Order, OrderState
from marketplace.billing.till import Till
from marketplace.catalog.models import App, AppState, Product
from marketplace.kernel.ids import AccountId, ProductId, new_id
from marketplace.web.auth import Actor, Role
from tests.factories.accounts import make_account

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TILL = Till()


def make_actor(account: Account) -> Actor:
    """The person of an account, as a request knows them."""
    return Actor(
        id=AccountId(account.id),
        name=account.name,
        email=account.email,
        roles=account.roles,
        locale=None,
    )


def make_operator(session: Session) -> Actor:
    """Somebody who runs the store."""
    person = make_actor(make_account(session, is_operator=True))
    assert Role.OPERATOR in person.roles
    return person


def make_listed_app(session: Session, **given: Any) -> App:
    """A listed app of a developer of its own."""
    owner_id = given.pop("owner_id", None) or make_account(session, is_developer=True).id
    values: dict[str, Any] = {
        "ident": f"org.example.app-{new_id().hex[-8:]}",
        "owner_id": owner_id,
        "name": "Helpdesk",
        "summary": "Answers customers.",
        "category": "business",
        "age": 16,
        "state": AppState.LISTED,
        "created_at": NOON,
        **given,
    }
    app = App(**values)
    session.add(app)
    session.flush()  # rows that point at the app need it in the database first
    return app


def make_product_for_sale(session: Session, **given: Any) -> Product:
    """A product of 4.99 USD that unlocks an app of its own."""
    app_id = given.pop("app_id", None) or make_listed_app(session).id
    values: dict[str, Any] = {
        "app_id": app_id,
        "key": "whole",
        "name": "The whole app",
        "price_micros": 4_990_000,
        "currency": "USD",
        **given,
    }
    product = Product(**values)
    session.add(product)
    session.flush()  # rows that point at the product need it in the database first
    return product


def make_order(
    session: Session,
    *,
    product: Product | None = None,
    buyer_id: AccountId | None = None,
    state: OrderState = OrderState.AWAITING,
    now: datetime = NOON,
) -> Order:
    """An order, brought to a state the way people bring it there."""
    product = product or make_product_for_sale(session)
    buyer = buyer_id or AccountId(make_account(session).id)
    order = service.checkout(session, TILL, ProductId(product.id), buyer_id=buyer, now=now)
    session.flush()  # the order must be there for what follows
    if state in {OrderState.PAID, OrderState.REFUNDED}:
        service.confirm_payment(session, order, now=now)
        session.flush()  # the entitlement must be there to be revoked
    if state is OrderState.REFUNDED:
        service.refund(session, TILL, order.id, asked_by=make_operator(session), now=now)
    if state is OrderState.DECLINED:
        order.move_to(OrderState.DECLINED, now=now)
    session.flush()  # the caller reads the state from the database
    return order
