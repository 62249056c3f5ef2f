"""The embedded gateway: play money, for stores that do not sell for real."""

from uuid import UUID

from marketplace.billing.models import News
from marketplace.billing.ports import Notice
from marketplace.kernel.ids import OrderId
from marketplace.kernel.money import Money

PREFIX = "till_"


class Till:
    """Takes play money. Its answer comes the way a real gateway's would: as a notice."""

    name = "till"

    def payment_ref(self, order_id: OrderId) -> str:
        """The order's id, marked as ours."""
        return f"{PREFIX}{order_id}"

    def payment_path(self, order_id: OrderId) -> str:
        """The till's own page."""
        return f"/till/{order_id}"

    def give_back(self, payment_ref: str, refund_id: UUID, amount: Money) -> str:
        """Play money needs no bank: it is back as soon as it is booked."""
        return f"{PREFIX}refund_{refund_id}"

    def answer(self, payment_ref: str, amount: Money, *, is_paid: bool) -> Notice:
        """What the till tells once the person has chosen. Two presses tell it once."""
        news = News.PAID if is_paid else News.DECLINED
        return Notice(self.name, f"{payment_ref}:{news}", news, payment_ref, amount)
