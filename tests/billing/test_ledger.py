"""Transactions balance in each currency, or they cannot be made."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.billing import ledger
from marketplace.billing.ledger import NotBalanced, Posting, Transaction
from marketplace.kernel.ids import AccountId, CampaignId
from marketplace.kernel.money import Money

USD_1, EUR_1 = Money(1_000_000, "USD"), Money(1_000_000, "EUR")


def test_the_chart_names_people_and_campaigns_by_their_ids() -> None:
    number = uuid4()
    assert ledger.developer(AccountId(number)) == f"liab:dev:{number}:pending"
    assert ledger.prepaid(CampaignId(number)) == f"liab:adv:{number}:prepaid"
    assert ledger.reserved(CampaignId(number)) == f"liab:adv:{number}:reserved"


@pytest.mark.parametrize(
    ("key", "postings", "words"),
    [
        ("", (Posting(ledger.TILL, USD_1), Posting(ledger.COMMISSION, -USD_1)), "external key"),
        ("k", (Posting(ledger.TILL, USD_1),), "fewer than two"),
        ("k", (Posting("cash", USD_1), Posting(ledger.TILL, -USD_1)), "not an account"),
        ("k", (Posting(ledger.TILL, USD_1), Posting(ledger.COMMISSION, -EUR_1)), "out of balance"),
        (
            "k",
            (Posting(ledger.TILL, Money(0, "USD")), Posting(ledger.COMMISSION, Money(0, "USD"))),
            "posts nothing",
        ),
    ],
)
def test_a_transaction_that_breaks_a_law_cannot_be_made(
    key: str, postings: tuple[Posting, ...], words: str
) -> None:
    with pytest.raises(NotBalanced, match=words):
        Transaction("test", key, postings)


def test_two_currencies_each_balance_alone() -> None:
    made = Transaction(
        "test",
        "k",
        (
            Posting(ledger.TILL, USD_1),
            Posting(ledger.COMMISSION, -USD_1),
            Posting(ledger.TILL, EUR_1),
            Posting(ledger.ADS_MARGIN, -EUR_1),
        ),
    )
    assert ledger.balances([made, made]) == {
        (ledger.TILL, "USD"): 2_000_000,
        (ledger.COMMISSION, "USD"): -2_000_000,
        (ledger.TILL, "EUR"): 2_000_000,
        (ledger.ADS_MARGIN, "EUR"): -2_000_000,
    }


@given(st.lists(st.tuples(st.integers(1, 10**12), st.sampled_from(["USD", "EUR", "JOD"]))))
def test_any_book_of_transactions_has_a_trial_balance_of_zero(sums: list[tuple[int, str]]) -> None:
    made = [
        ledger.transaction(
            "test",
            f"k{number}",
            {ledger.TILL: Money(micros, currency), ledger.COMMISSION: Money(-micros, currency)},
        )
        for number, (micros, currency) in enumerate(sums)
    ]
    book = ledger.balances(made)
    for currency in {currency for _, currency in book}:
        assert sum(micros for (_, its), micros in book.items() if its == currency) == 0
