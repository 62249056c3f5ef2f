"""Money as whole millionths of a currency's major unit. No float ever enters here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from marketplace.kernel.errors import Invalid

MICROS = 1_000_000
WHOLE_BPS = 10_000
# Digits alone: Decimal would also read 1e9, and round what is longer than its precision. Twelve
# of them before the point, in micros, still fit a database's 64 bits.
AMOUNT = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?")


class NotMoney(Invalid):
    """A text does not name an amount of money."""


@dataclass(frozen=True, order=False)
class Money:
    """An amount in one currency.

    Args:
        micros: millionths of the major unit; 4.99 USD is 4_990_000.
        currency: three capital letters of ISO 4217.
    """

    micros: int
    currency: str

    @classmethod
    def parse(cls, text: str, currency: str) -> "Money":
        """Read a decimal text such as `4.99`, with at most six decimals. Raises: NotMoney."""
        if not AMOUNT.fullmatch(text):
            raise NotMoney(f"“{text[:40]}” is not an amount; write it like 4.99.")
        return cls(int(Decimal(text) * MICROS), currency)

    @classmethod
    def zero(cls, currency: str) -> "Money":
        """Nothing, in this currency."""
        return cls(0, currency)

    def decimal(self) -> Decimal:
        """The exact amount in major units, for display and for gateways."""
        return Decimal(self.micros) / MICROS

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be put together.")

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.micros + other.micros, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.micros - other.micros, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.micros, self.currency)

    def __lt__(self, other: "Money") -> bool:
        self._same(other)
        return self.micros < other.micros

    def __le__(self, other: "Money") -> bool:
        self._same(other)
        return self.micros <= other.micros

    def split(self, weights: Sequence[int]) -> list["Money"]:
        """Divide by non-negative integer weights so that the parts sum to the whole.

        Largest remainder (Hamilton's method), ties to the earlier part. 0.10 by (1, 1, 1) in
        micros gives 33_334, 33_333, 33_333. Raises: ValueError without a positive weight or for
        a negative amount.
        """
        total = sum(weights)
        if total <= 0 or min(weights) < 0 or self.micros < 0:
            raise ValueError("A split needs a non-negative amount and positive weights.")
        shares = [divmod(self.micros * weight, total) for weight in weights]
        left = self.micros - sum(floor for floor, _ in shares)
        by_remainder = sorted(range(len(shares)), key=lambda i: (-shares[i][1], i))
        extra = set(by_remainder[:left])
        return [
            Money(floor + (index in extra), self.currency)
            for index, (floor, _) in enumerate(shares)
        ]
