"""What billing asks of whoever takes the money."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from marketplace.billing.models import News
from marketplace.kernel.ids import OrderId
from marketplace.kernel.money import Money


@dataclass(frozen=True)
class Notice:
    """One piece of news about a payment, as a gateway tells it.

    Args:
        source: the gateway's name.
        external_id: the gateway's own name for this piece of news; a second one is dropped.
        payment_ref: which payment it is about, as `Gateway.payment_ref` named it.
    """

    source: str
    external_id: str
    news: News
    payment_ref: str
    amount: Money


class Gateway(Protocol):
    """Takes payments and gives them back. What became of a payment arrives as a `Notice`."""

    name: str

    def payment_ref(self, order_id: OrderId) -> str:
        """The name of the payment for this order, the same each time it is asked."""

    def payment_path(self, order_id: OrderId) -> str:
        """Where the person is sent to pay."""

    def give_back(self, payment_ref: str, refund_id: UUID, amount: Money) -> str:
        """Start giving money back, once for each refund id. Returns: the gateway's reference."""
