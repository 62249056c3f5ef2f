"""Campaign money in the book: nothing is made, nothing is lost."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from marketplace.ads import postings
from marketplace.billing import ledger
from marketplace.billing.shares import Scheme
from marketplace.kernel.ids import AccountId, CampaignId
from marketplace.kernel.money import Money

CAMPAIGN, DEVELOPER = CampaignId(UUID(int=1)), AccountId(UUID(int=2))
SCHEME = Scheme(1, 7000)


@given(st.lists(st.tuples(st.integers(1, 10**6), st.sampled_from(["open", "commit", "void"]))))
def test_what_was_paid_in_is_prepaid_promised_or_earned(steps: list[tuple[int, str]]) -> None:
    budget = sum(micros for micros, _ in steps) + 1
    book = [postings.top_up("top-up", CAMPAIGN, Money(budget, "USD"))]
    for number, (micros, end) in enumerate(steps):
        offer, price = UUID(int=number), Money(micros, "USD")
        book.append(postings.reserve(offer, CAMPAIGN, price))
        if end == "commit":
            book.append(postings.commit(offer, CAMPAIGN, price, SCHEME, DEVELOPER))
        elif end == "void":
            book.append(postings.void(offer, CAMPAIGN, price))
    found = ledger.balances(book)

    def owed(account: str) -> int:
        return -found.get((account, "USD"), 0)

    spent = sum(micros for micros, end in steps if end == "commit")
    promised = sum(micros for micros, end in steps if end == "open")
    assert owed(ledger.reserved(CAMPAIGN)) == promised
    assert owed(ledger.prepaid(CAMPAIGN)) == budget - spent - promised
    assert owed(ledger.developer(DEVELOPER)) + owed(ledger.ADS_MARGIN) == spent


def test_a_view_of_2500_millionths_gives_the_developer_1750() -> None:
    made = postings.commit(UUID(int=9), CAMPAIGN, Money(2_500, "USD"), SCHEME, DEVELOPER)
    assert {p.account: p.amount.micros for p in made.postings} == {
        ledger.reserved(CAMPAIGN): 2_500,
        ledger.developer(DEVELOPER): -1_750,
        ledger.ADS_MARGIN: -750,
    }
