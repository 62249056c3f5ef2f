"""Reads of the billing room. Every figure comes from the ledger, none from a counter."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from marketplace.billing import ledger, service, words
from marketplace.billing.ledger import totals
from marketplace.billing.models import (
    WHOLE_APP,
    Entitlement,
    LedgerEntry,
    LedgerTransaction,
    Line,
    Order,
    OrderState,
    Refund,
)
from marketplace.billing.pages import (
    BalanceRow,
    CheckoutPage,
    Earned,
    EarningRow,
    EarningsPage,
    LedgerPage,
    Movement,
    OrderPage,
    PurchaseRow,
    PurchasesPage,
    StatementRow,
    TillPage,
)
from marketplace.catalog import queries as catalog
from marketplace.catalog.models import App, Product
from marketplace.kernel.ids import AccountId, AppId, ProductId
from marketplace.kernel.money import WHOLE_BPS, Money
from marketplace.kernel.paging import Page
from marketplace.web.auth import Actor
from marketplace.web.i18n import gettext as _

ROWS_A_PAGE = 25


def entitled(session: Session, person_id: AccountId, app_id: AppId, product_key: str) -> bool:
    """Whether this person may use one product of an app; its developer may use all of them."""
    if _owns(session, person_id, app_id):
        return True
    found = session.exec(
        select(Entitlement.id)
        .join(Product, col(Product.id) == col(Entitlement.product_id))
        .where(
            Entitlement.person_id == person_id,
            Entitlement.app_id == app_id,
            Product.key == product_key,
            col(Entitlement.revoked_at).is_(None),
        )
    ).first()
    return found is not None


def has_bought(session: Session, person_id: AccountId, app_id: AppId) -> bool:
    """Whether a person has paid for anything of an app and not been refunded."""
    found = session.exec(
        select(Entitlement.id).where(
            Entitlement.person_id == person_id,
            Entitlement.app_id == app_id,
            col(Entitlement.revoked_at).is_(None),
        )
    ).first()
    return found is not None


def bought(session: Session, person_id: AccountId) -> dict[AppId, datetime]:
    """The apps of which a person has paid for anything and not been refunded, and when they did."""
    found = session.exec(
        select(Entitlement.app_id, func.max(Entitlement.granted_at))
        .where(Entitlement.person_id == person_id, col(Entitlement.revoked_at).is_(None))
        .group_by(col(Entitlement.app_id))
    ).all()
    return {AppId(app_id): granted_at for app_id, granted_at in found}


def product_needed(session: Session, person_id: AccountId | None, app_id: AppId) -> Product | None:
    """What this person must buy before the app runs for them, or None when nothing is missing."""
    product = session.exec(
        select(Product)
        .where(Product.app_id == app_id, Product.unlocks == WHOLE_APP, col(Product.active))
        .order_by(col(Product.price_micros))
    ).first()
    if product is None or person_id is None:
        return product
    if _owns(session, person_id, app_id):
        return None
    # Whoever paid for the whole app keeps it, also when that product is no longer sold or opens
    # less by now; one that opens all of it by now opens it for those too who bought a part.
    paid = session.exec(
        select(Entitlement.id)
        .join(Product, col(Product.id) == col(Entitlement.product_id))
        .join(Order, col(Order.id) == col(Entitlement.order_id))
        .where(
            Entitlement.person_id == person_id,
            Entitlement.app_id == app_id,
            or_(col(Product.unlocks) == WHOLE_APP, col(Order.unlocks) == WHOLE_APP),
            col(Entitlement.revoked_at).is_(None),
        )
    ).first()
    return None if paid is not None else product


def _owns(session: Session, person_id: AccountId, app_id: AppId) -> bool:
    owner = session.exec(select(App.owner_id).where(App.id == app_id)).first()
    return owner == person_id


def checkout_page(session: Session, product_id: ProductId, *, locale: str) -> CheckoutPage:
    """What is about to be bought. Raises: ProductNotFound."""
    product, _app = service.on_sale(session, product_id)
    app, app_name = catalog.app_and_name(session, product.app_id, locale=locale)
    return CheckoutPage(
        product_id=str(product.id),
        product_name=product.name,
        app_ident=app.ident,
        app_name=app_name,
        price=product.price,
        refund_days=service.REFUND_DAYS,
    )


def till_page(session: Session, order: Order, *, locale: str) -> TillPage:
    """The till in front of one order."""
    app, app_name = catalog.app_and_name(session, order.app_id, locale=locale)
    return TillPage(order=order, app_ident=app.ident, app_name=app_name)


def order_page(
    session: Session, order: Order, person: Actor, *, locale: str, now: datetime
) -> OrderPage:
    """One order, as the buyer or an operator sees it at `now`."""
    app, app_name = catalog.app_and_name(session, order.app_id, locale=locale)
    refunds = session.exec(select(Refund).where(Refund.order_id == order.id)).all()
    given_back = Money(sum(refund.amount_micros for refund in refunds), order.currency)
    until = service.refundable_until(order)
    is_open = until is not None and (person.is_operator or now <= until)
    found = session.exec(
        select(LedgerTransaction)
        .where(LedgerTransaction.subject_id == order.id)
        .order_by(col(LedgerTransaction.occurred_at), col(LedgerTransaction.id))
    ).all()
    return OrderPage(
        order=order,
        app_ident=app.ident,
        app_name=app_name,
        movements=_movements(session, found, developer=_("The developer's share")),
        given_back=given_back,
        refundable_until=until if is_open else None,
    )


def _movements(
    session: Session, found: Sequence[LedgerTransaction], *, developer: str = ""
) -> Sequence[Movement]:
    """These transactions in words.

    Args:
        developer: what the only developer in them is called; else each has a number.
    """
    entries: dict[object, list[LedgerEntry]] = defaultdict(list)
    for entry in session.exec(
        select(LedgerEntry)
        .where(col(LedgerEntry.transaction_id).in_([one.id for one in found]))
        .order_by(col(LedgerEntry.amount_micros).desc())
    ).all():
        entries[entry.transaction_id].append(entry)
    return [
        Movement(
            words=words.kind(one.kind),
            external_key=one.external_key,
            at=one.occurred_at,
            lines=[words.line(entry.account, entry.amount, developer) for entry in entries[one.id]],
        )
        for one in found
    ]


def purchases(session: Session, person_id: AccountId, *, number: int, locale: str) -> PurchasesPage:
    """One page of what a person ordered, newest first; orders never paid are left out."""
    is_mine = (Order.buyer_id == person_id, col(Order.state) != OrderState.DECLINED)
    total = session.exec(select(func.count()).select_from(Order).where(*is_mine)).one()
    found = session.exec(
        select(Order, App)
        .join(App, col(App.id) == col(Order.app_id))
        .where(*is_mine)
        .order_by(col(Order.created_at).desc())
        .offset((number - 1) * ROWS_A_PAGE)
        .limit(ROWS_A_PAGE)
    ).all()
    names = catalog.names(session, {app.id for _, app in found}, locale=locale)
    rows = [
        PurchaseRow(
            order_id=order.id,
            state=order.state.value,
            app_ident=app.ident,
            app_name=names[app.id],
            product_name=order.product_name,
            amount=order.amount,
            created_at=order.created_at,
        )
        for order, app in found
    ]
    return PurchasesPage(Page(rows, number, ROWS_A_PAGE, total))


def earned(session: Session, developer_id: AccountId) -> Mapping[AppId, Earned]:
    """What each app of a developer has brought them; apps that brought nothing are left out."""
    shares: dict[AppId, list[Money]] = defaultdict(list)
    for app_id, currency, micros in session.exec(
        select(LedgerTransaction.app_id, LedgerEntry.currency, func.sum(LedgerEntry.amount_micros))
        .join(LedgerTransaction, col(LedgerTransaction.id) == col(LedgerEntry.transaction_id))
        .where(
            LedgerEntry.account == ledger.developer(developer_id),
            col(LedgerTransaction.app_id).is_not(None),
        )
        .group_by(col(LedgerTransaction.app_id), LedgerEntry.currency)
        .order_by(LedgerEntry.currency)
    ).all():
        if app_id is not None:
            shares[AppId(app_id)].append(Money(-int(micros), currency))
    sales = dict(
        session.exec(
            select(Order.app_id, func.count())
            .where(Order.developer_id == developer_id, Order.state == OrderState.PAID)
            .group_by(col(Order.app_id))
        ).all()
    )
    return {app_id: Earned(sales.get(app_id, 0), amounts) for app_id, amounts in shares.items()}


def owed(session: Session, developer_id: AccountId) -> Sequence[Money]:
    """What the store owes a developer, one amount a currency."""
    rows = session.exec(
        select(LedgerEntry.currency, func.sum(LedgerEntry.amount_micros))
        .where(LedgerEntry.account == ledger.developer(developer_id))
        .group_by(LedgerEntry.currency)
        .order_by(LedgerEntry.currency)
    ).all()
    return [Money(-int(micros), currency) for currency, micros in rows]


def statement(
    session: Session, developer_id: AccountId, *, number: int, locale: str, now: datetime
) -> EarningsPage:
    """A developer's account: what they are owed, by app, and each posting, newest first."""
    account = ledger.developer(developer_id)
    total = session.exec(
        select(func.count()).select_from(LedgerEntry).where(LedgerEntry.account == account)
    ).one()
    found = session.exec(
        select(LedgerEntry, LedgerTransaction)
        .join(LedgerTransaction, col(LedgerTransaction.id) == col(LedgerEntry.transaction_id))
        .where(LedgerEntry.account == account)
        .order_by(col(LedgerTransaction.occurred_at).desc(), col(LedgerTransaction.id).desc())
        .offset((number - 1) * ROWS_A_PAGE)
        .limit(ROWS_A_PAGE)
    ).all()
    by_app = earned(session, developer_id)
    ids = {*by_app, *(one.app_id for _, one in found if one.app_id is not None)}
    names = catalog.names(session, ids, locale=locale)
    idents = dict(session.exec(select(App.id, App.ident).where(col(App.id).in_(ids))).all())
    bps = service.share_bps(session, Line.APPS, now=now)
    return EarningsPage(
        balances=owed(session, developer_id),
        share_percent=f"{bps * 100 / WHOLE_BPS:g}",
        apps=[
            EarningRow(idents[app_id], names[app_id], brought) for app_id, brought in by_app.items()
        ],
        rows=Page(
            [
                StatementRow(
                    at=one.occurred_at,
                    words=words.kind(one.kind),
                    app_name=names[one.app_id] if one.app_id is not None else "",
                    amount=-entry.amount,
                )
                for entry, one in found
            ],
            number,
            ROWS_A_PAGE,
            total,
        ),
    )


def trial_balance(session: Session) -> Sequence[tuple[str, Money]]:
    """Each account's balance in each currency, debits positive; they sum to zero."""
    rows = session.exec(
        select(LedgerEntry.account, LedgerEntry.currency, func.sum(LedgerEntry.amount_micros))
        .group_by(LedgerEntry.account, LedgerEntry.currency)
        .order_by(LedgerEntry.account, LedgerEntry.currency)
    ).all()
    return [(account, Money(int(micros), currency)) for account, currency, micros in rows]


def ledger_page(session: Session, *, number: int) -> LedgerPage:
    """The trial balance, and one page of transactions, newest first."""
    found = trial_balance(session)
    sums = totals(balance for _, balance in found)
    total = session.exec(select(func.count()).select_from(LedgerTransaction)).one()
    recent = session.exec(
        select(LedgerTransaction)
        .order_by(col(LedgerTransaction.occurred_at).desc(), col(LedgerTransaction.id).desc())
        .offset((number - 1) * ROWS_A_PAGE)
        .limit(ROWS_A_PAGE)
    ).all()
    return LedgerPage(
        balances=[
            BalanceRow(
                account=words.account(account),
                debit=Money(max(balance.micros, 0), balance.currency),
                credit=Money(max(-balance.micros, 0), balance.currency),
            )
            for account, balance in found
        ],
        totals=sums,
        is_balanced=all(one.micros == 0 for one in sums),
        movements=Page(_movements(session, recent), number, ROWS_A_PAGE, total),
    )
