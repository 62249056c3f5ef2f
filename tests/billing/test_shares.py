"""Splits lose nothing, and refunds give back exactly what was split."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.billing import ledger, shares
from marketplace.billing.shares import Scheme, TooMuchBack
from marketplace.kernel.ids import AccountId
from marketplace.kernel.money import Money

DEVELOPER = AccountId(UUID(int=7))
PRICE = Money(4_990_000, "USD")


def _parts(transaction: ledger.Transaction) -> dict[str, Money]:
    return {p.account: -p.amount for p in transaction.postings if p.account != ledger.TILL}


def test_a_sale_of_4_99_at_8500_basis_points_gives_the_developer_4_2415() -> None:
    sold = shares.sale("order:1:paid", PRICE, Scheme(1, 8500), DEVELOPER)
    assert _parts(sold) == {
        ledger.developer(DEVELOPER): Money(4_241_500, "USD"),
        ledger.COMMISSION: Money(748_500, "USD"),
    }


@pytest.mark.parametrize("bps", [-1, 10_001])
def test_a_share_outside_the_whole_is_refused(bps: int) -> None:
    with pytest.raises(ValueError, match="basis points"):
        Scheme(1, bps)


@pytest.mark.parametrize("bps", [0, 10_000])
def test_a_share_of_all_or_nothing_posts_to_one_side_alone(bps: int) -> None:
    assert len(_parts(shares.sale("k", PRICE, Scheme(1, bps), DEVELOPER))) == 1


@given(st.integers(1, 10**13), st.integers(0, 10_000))
def test_the_parts_of_a_sale_sum_to_its_price_and_are_within_one_millionth(
    micros: int, bps: int
) -> None:
    developer, store = Scheme(1, bps).split(Money(micros, "USD"))
    assert developer.micros + store.micros == micros
    assert abs(developer.micros * 10_000 - micros * bps) < 10_000


@given(st.integers(2, 10**9), st.integers(0, 10_000), st.data())
def test_refunds_in_any_steps_never_overdraw_a_part_and_end_at_zero(
    micros: int, bps: int, data: st.DataObject
) -> None:
    remaining = _parts(shares.sale("k", Money(micros, "USD"), Scheme(1, bps), DEVELOPER))
    left, step = micros, 0
    while left:
        amount = data.draw(st.integers(1, left)) if step < 5 else left
        back = shares.refund(f"r{step}", Money(amount, "USD"), remaining, corrects="k")
        given_back = {p.account: p.amount for p in back.postings if p.account != ledger.TILL}
        remaining = {
            account: part - given_back.get(account, Money(0, "USD"))
            for account, part in remaining.items()
        }
        assert min(part.micros for part in remaining.values()) >= 0
        left, step = left - amount, step + 1
    assert {part.micros for part in remaining.values()} == {0}


@pytest.mark.parametrize("micros", [0, -1, 4_990_001])
def test_nothing_less_than_nothing_and_more_than_was_paid_cannot_go_back(micros: int) -> None:
    remaining = _parts(shares.sale("k", PRICE, Scheme(1, 8500), DEVELOPER))
    with pytest.raises(TooMuchBack, match="cannot be given back"):
        shares.refund("r", Money(micros, "USD"), remaining, corrects="k")
