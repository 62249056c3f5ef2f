"""Billing tables: the book, fee schemes, orders, refunds, entitlements, a gateway's news."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, Uuid, event, text
from sqlmodel import Field, SQLModel

from marketplace.billing import seal
from marketplace.billing.shares import Scheme
from marketplace.infra.personal import Tie, tie, withheld
from marketplace.infra.types import UtcDateTime, enum_column
from marketplace.kernel.errors import Conflict
from marketplace.kernel.ids import AccountId, AppId, OrderId, ProductId, TransactionId, new_id
from marketplace.kernel.money import Money
from marketplace.web.i18n import gettext as _


class LedgerTransaction(SQLModel, table=True):
    """One transaction of the book. Never changed or deleted: the database refuses it.

    `subject_id` is what it is about, such as an order or an offer of an advertisement.
    """

    __tablename__ = seal.TRANSACTIONS
    __table_args__ = (
        CheckConstraint("external_key <> ''", name="external_key_given"),
        Index("ix_billing_ledger_transaction_subject", "subject_id"),
        Index("ix_billing_ledger_transaction_occurred", "occurred_at"),
    )

    id: TransactionId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    kind: str = Field(max_length=40)
    external_key: str = Field(max_length=120, unique=True)
    corrects: str | None = Field(default=None, max_length=120)
    subject_id: UUID = Field(sa_type=Uuid, sa_column_kwargs=tie(Tie.NOBODY))
    app_id: AppId | None = Field(default=None, sa_type=Uuid, sa_column_kwargs=tie(Tie.NOBODY))
    occurred_at: datetime = Field(sa_type=UtcDateTime)


class LedgerEntry(SQLModel, table=True):
    """One posting of a transaction: a debit when positive, a credit when negative."""

    __tablename__ = seal.ENTRIES
    __table_args__ = (
        CheckConstraint("amount_micros <> 0", name="something"),
        Index("ix_billing_ledger_entry_account", "account", "currency"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    transaction_id: TransactionId = Field(
        sa_type=Uuid, foreign_key=f"{seal.TRANSACTIONS}.id", index=True
    )
    account: str = Field(max_length=80)
    amount_micros: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)

    @property
    def amount(self) -> Money:
        """The amount, positive for a debit."""
        return Money(self.amount_micros, self.currency)


for _sealed in seal.SEALED:
    event.listen(SQLModel.metadata.tables[_sealed], "after_create", seal.after_create)


class Line(StrEnum):
    """What a fee scheme is for."""

    APPS = "apps"
    ADS = "ads"


class FeeScheme(SQLModel, table=True):
    """One version of how a line of business is shared; orders and offers keep theirs."""

    __tablename__ = "billing_fee_scheme"
    __table_args__ = (
        UniqueConstraint("line", "version"),
        CheckConstraint("developer_bps BETWEEN 0 AND 10000", name="share_of_a_whole"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    line: Line = Field(sa_type=enum_column(Line))
    version: int
    developer_bps: int
    starts_at: datetime = Field(sa_type=UtcDateTime)

    def scheme(self) -> Scheme:
        """The scheme as the pure module knows it."""
        return Scheme(self.version, self.developer_bps)


class OrderState(StrEnum):
    """Where an order stands."""

    AWAITING = "awaiting"
    PAID = "paid"
    DECLINED = "declined"
    REFUNDED = "refunded"


NEXT_STATES: Mapping[OrderState, frozenset[OrderState]] = {
    OrderState.AWAITING: frozenset({OrderState.PAID, OrderState.DECLINED}),
    OrderState.PAID: frozenset({OrderState.REFUNDED}),
    # The money may have been on its way when an order was declined.
    OrderState.DECLINED: frozenset({OrderState.PAID}),
    OrderState.REFUNDED: frozenset(),
}
# While one of these stands, the same person cannot order the same product again.
LIVE = "state IN ('awaiting', 'paid')"
# What a product unlocks that an app needs to run.
WHOLE_APP = "app"


class IllegalMove(Conflict):
    """An order cannot go from its present state to the one asked for."""


class Order(SQLModel, table=True):
    """One person buys one product, at the price and the shares of that moment.

    `unlocks` is what the product opened then, `app` or `feature`; a later release may change it.
    """

    __tablename__ = "billing_order"
    __table_args__ = (
        CheckConstraint("amount_micros > 0", name="costs_something"),
        UniqueConstraint("gateway", "payment_ref"),
        Index(
            "uq_billing_order_live",
            "buyer_id",
            "product_id",
            unique=True,
            sqlite_where=text(LIVE),
            postgresql_where=text(LIVE),
        ),
    )

    id: OrderId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    buyer_id: AccountId = Field(
        sa_type=Uuid,
        foreign_key="accounts_account.id",
        index=True,
        sa_column_kwargs=tie(Tie.SHARED),
    )
    product_id: ProductId = Field(sa_type=Uuid, foreign_key="catalog_product.id")
    product_name: str = Field(max_length=200)
    unlocks: str = Field(max_length=20, sa_column_kwargs={"server_default": WHOLE_APP})
    app_id: AppId = Field(sa_type=Uuid, foreign_key="catalog_app.id", index=True)
    developer_id: AccountId = Field(
        sa_type=Uuid, foreign_key="accounts_account.id", sa_column_kwargs=tie(Tie.SHARED)
    )
    amount_micros: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    scheme_id: UUID = Field(sa_type=Uuid, foreign_key="billing_fee_scheme.id")
    gateway: str = Field(max_length=20)
    payment_ref: str = Field(max_length=120, sa_column_kwargs=withheld())
    state: OrderState = Field(default=OrderState.AWAITING, sa_type=enum_column(OrderState))
    state_changed_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    paid_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    @property
    def amount(self) -> Money:
        """The price."""
        return Money(self.amount_micros, self.currency)

    def move_to(self, target: OrderState, *, now: datetime) -> None:
        """Move to `target` at `now` (aware UTC), or raise `IllegalMove` and change nothing."""
        if target not in NEXT_STATES[self.state]:
            raise IllegalMove(
                _("This order can no longer be changed that way. Reload the page to see it."),
                rule=f"order.{self.state}",
            )
        self.state, self.state_changed_at = target, now


class Refund(SQLModel, table=True):
    """Money given back for an order, in part or whole."""

    __tablename__ = "billing_refund"
    __table_args__ = (CheckConstraint("amount_micros > 0", name="gives_something"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    order_id: OrderId = Field(sa_type=Uuid, foreign_key="billing_order.id", index=True)
    amount_micros: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    asked_by: AccountId = Field(
        sa_type=Uuid, foreign_key="accounts_account.id", sa_column_kwargs=tie(Tie.ACTED)
    )
    gateway_ref: str = Field(max_length=120, sa_column_kwargs=withheld())
    created_at: datetime = Field(sa_type=UtcDateTime)


class Entitlement(SQLModel, table=True):
    """What a person may use because they paid for it; ends when the money goes back."""

    __tablename__ = "billing_entitlement"
    __table_args__ = (Index("ix_billing_entitlement_person", "person_id", "app_id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    person_id: AccountId = Field(
        sa_type=Uuid, foreign_key="accounts_account.id", sa_column_kwargs=tie(Tie.SHARED)
    )
    app_id: AppId = Field(sa_type=Uuid, foreign_key="catalog_app.id")
    product_id: ProductId = Field(sa_type=Uuid, foreign_key="catalog_product.id")
    order_id: OrderId = Field(sa_type=Uuid, foreign_key="billing_order.id", unique=True)
    granted_at: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class News(StrEnum):
    """What a gateway may tell."""

    PAID = "payment.succeeded"
    DECLINED = "payment.declined"


class GatewayEvent(SQLModel, table=True):
    """One piece of news from a gateway, kept before it is acted upon; each comes in once."""

    __tablename__ = "billing_gateway_event"
    __table_args__ = (UniqueConstraint("source", "external_id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    source: str = Field(max_length=20)
    external_id: str = Field(max_length=160)
    news: News = Field(sa_type=enum_column(News))
    payment_ref: str = Field(max_length=120, sa_column_kwargs=withheld())
    amount_micros: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    received_at: datetime = Field(sa_type=UtcDateTime)
    handled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
