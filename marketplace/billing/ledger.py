"""Double entry: what a transaction is, and the chart of accounts. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from marketplace.kernel.ids import AccountId, CampaignId
from marketplace.kernel.money import Money

# Assets and expenses grow by debits (positive amounts); liabilities and revenue by credits
# (negative ones).
TILL = "asset:till"
COMMISSION = "rev:commission:app"
ADS_MARGIN = "rev:ads_margin"
ACCOUNT = re.compile(r"(asset|liab|rev|exp)(:[a-z0-9_-]+)+")


def developer(account_id: AccountId) -> str:
    """What the store owes one developer."""
    return f"liab:dev:{account_id}:pending"


def prepaid(campaign_id: CampaignId) -> str:
    """What an advertiser has paid in for one campaign, and not spent or promised yet."""
    return f"liab:adv:{campaign_id}:prepaid"


def reserved(campaign_id: CampaignId) -> str:
    """What of it is promised to offers that are open."""
    return f"liab:adv:{campaign_id}:reserved"


class NotBalanced(ValueError):
    """A transaction breaks a law of the book. Always a fault of ours, never of a person."""


@dataclass(frozen=True)
class Posting:
    """One amount on one account: positive is a debit, negative a credit."""

    account: str
    amount: Money


@dataclass(frozen=True)
class Transaction:
    """Postings that happen together; in each currency they sum to zero.

    Args:
        kind: such as `order.paid`.
        external_key: names what happened in the world; a book takes each key once.
        corrects: the external key of the transaction this one takes back, in part or whole.
    Raises: NotBalanced.
    """

    kind: str
    external_key: str
    postings: tuple[Posting, ...]
    corrects: str | None = None

    def __post_init__(self) -> None:
        if not self.external_key:
            raise NotBalanced("A transaction needs an external key.")
        if len(self.postings) < 2:
            raise NotBalanced(f"{self.external_key} has fewer than two postings.")
        for posting in self.postings:
            if not ACCOUNT.fullmatch(posting.account):
                raise NotBalanced(f"{posting.account} is not an account of the chart.")
            if posting.amount.micros == 0:
                raise NotBalanced(f"{self.external_key} posts nothing to {posting.account}.")
        for total in totals(posting.amount for posting in self.postings):
            if total.micros != 0:
                raise NotBalanced(f"{self.external_key} is out of balance by {total}.")


def totals(amounts: Iterable[Money]) -> Sequence[Money]:
    """The sum of each currency, in the order of their codes."""
    sums: dict[str, int] = defaultdict(int)
    for amount in amounts:
        sums[amount.currency] += amount.micros
    return [Money(micros, currency) for currency, micros in sorted(sums.items())]


def transaction(
    kind: str, external_key: str, amounts: Mapping[str, Money], *, corrects: str | None = None
) -> Transaction:
    """A transaction from account → amount, without the accounts that nothing goes to.

    A share of a very small amount may be nothing: 70 % and 30 % of one millionth are 1 and 0.
    """
    postings = tuple(
        Posting(account, amount) for account, amount in amounts.items() if amount.micros
    )
    return Transaction(kind, external_key, postings, corrects)


def balances(transactions: Iterable[Transaction]) -> Mapping[tuple[str, str], int]:
    """(account, currency) → balance in micros after these transactions."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for one in transactions:
        for posting in one.postings:
            sums[posting.account, posting.amount.currency] += posting.amount.micros
    return dict(sums)
