"""Who gets which part of an amount, and gives back which part of a refund. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from marketplace.billing import ledger
from marketplace.kernel.ids import AccountId
from marketplace.kernel.money import WHOLE_BPS, Money


class TooMuchBack(ValueError):
    """A refund is larger than what is left of the payment."""


@dataclass(frozen=True)
class Scheme:
    """How an amount is divided; one version of it, which never changes.

    Args:
        developer_bps: the developer's part in hundredths of a percent; the store has the rest.
    """

    version: int
    developer_bps: int

    def __post_init__(self) -> None:
        if not 0 <= self.developer_bps <= WHOLE_BPS:
            raise ValueError("A share lies between 0 and 10,000 basis points.")

    def split(self, amount: Money) -> tuple[Money, Money]:
        """(the developer's part, the store's part), by largest remainder.

        4.99 at 8500 bps is 4.241500 and 0.748500.
        """
        developer, store = amount.split([self.developer_bps, WHOLE_BPS - self.developer_bps])
        return developer, store


def sale(key: str, gross: Money, scheme: Scheme, developer_id: AccountId) -> ledger.Transaction:
    """A product paid at the till: the developer and the store have their parts of it."""
    developer, store = scheme.split(gross)
    return ledger.transaction(
        "order.paid",
        key,
        {
            ledger.TILL: gross,
            ledger.developer(developer_id): -developer,
            ledger.COMMISSION: -store,
        },
    )


def give_back(amount: Money, remaining: Mapping[str, Money]) -> Mapping[str, Money]:
    """Divide a refund over what is left of each part, by largest remainder.

    Dividing over the *remaining* parts, and not over the first split, keeps every part between
    nothing and what is left, and a payment given back in any number of steps ends at zero.

    Args:
        remaining: account → what is left of its part, none negative.
    Raises: TooMuchBack.
    """
    left = sum(part.micros for part in remaining.values())
    if not 0 < amount.micros <= left:
        raise TooMuchBack(f"{amount} cannot be given back; {left} micros are left.")
    parts = amount.split([part.micros for part in remaining.values()])
    return dict(zip(remaining, parts, strict=True))


def refund(
    key: str, amount: Money, remaining: Mapping[str, Money], *, corrects: str
) -> ledger.Transaction:
    """Money goes back from the till, and each part shrinks by its share of it."""
    return ledger.transaction(
        "order.refunded",
        key,
        {ledger.TILL: -amount, **give_back(amount, remaining)},
        corrects=corrects,
    )
