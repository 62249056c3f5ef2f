"""What each page of the billing room shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from marketplace.billing.models import Order
from marketplace.kernel.ids import OrderId
from marketplace.kernel.money import Money
from marketplace.kernel.paging import Page


@dataclass(frozen=True)
class CheckoutPage:
    """What is about to be bought. `refund_days`: how long it can be given back."""

    product_id: str
    product_name: str
    app_ident: str
    app_name: str
    price: Money
    refund_days: int


@dataclass(frozen=True)
class TillPage:
    """The play-money till, in front of one order."""

    order: Order
    app_ident: str
    app_name: str


@dataclass(frozen=True)
class Line:
    """One posting in plain words. `amount` is positive for what the account was given."""

    words: str
    amount: Money


@dataclass(frozen=True)
class Movement:
    """One transaction of the book in plain words."""

    words: str
    external_key: str
    at: datetime
    lines: Sequence[Line]


@dataclass(frozen=True)
class OrderPage:
    """One order: its state, what became of the money, and whether it can go back.

    Args:
        given_back: sum of all refunds.
        refundable_until: aware instant, or None when this person cannot give it back now.
    """

    order: Order
    app_ident: str
    app_name: str
    movements: Sequence[Movement]
    given_back: Money
    refundable_until: datetime | None


@dataclass(frozen=True)
class PurchaseRow:
    """One line of a person's purchases."""

    order_id: OrderId
    state: str
    app_ident: str
    app_name: str
    product_name: str
    amount: Money
    created_at: datetime


@dataclass(frozen=True)
class PurchasesPage:
    """A person's purchases, newest first."""

    rows: Page[PurchaseRow]


@dataclass(frozen=True)
class Earned:
    """What one app has brought its developer.

    Args:
        sales: products sold and not given back.
        shares: the developer's part of sales and advertisements, one amount a currency.
    """

    sales: int
    shares: Sequence[Money]


@dataclass(frozen=True)
class EarningRow:
    """One app on a developer's statement."""

    app_ident: str
    app_name: str
    earned: Earned


@dataclass(frozen=True)
class StatementRow:
    """One posting on a developer's account; what they were given is positive."""

    at: datetime
    words: str
    app_name: str
    amount: Money


@dataclass(frozen=True)
class EarningsPage:
    """A developer's statement.

    Args:
        balances: what the store owes them, one amount a currency.
        share_percent: their share of a sale at present, such as `85`.
    """

    balances: Sequence[Money]
    share_percent: str
    apps: Sequence[EarningRow]
    rows: Page[StatementRow]


@dataclass(frozen=True)
class BalanceRow:
    """One account of the trial balance; debits and credits are both shown positive."""

    account: str
    debit: Money
    credit: Money


@dataclass(frozen=True)
class LedgerPage:
    """The book as a whole.

    Args:
        totals: sum of all entries, one a currency; anything but zero is a fault.
        is_balanced: whether all of them are zero.
    """

    balances: Sequence[BalanceRow]
    totals: Sequence[Money]
    is_balanced: bool
    movements: Page[Movement]
