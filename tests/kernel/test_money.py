"""Money: exact, of one currency, and divided without losing a millionth."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.kernel.errors import Invalid
from marketplace.kernel.money import MICROS, Money, NotMoney

AMOUNTS = st.integers(-(10**18), 10**18)
WHOLE = st.integers(0, 10**18)
WEIGHTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=8).filter(any)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("4.99", 4_990_000),
        ("0", 0),
        ("-1.5", -1_500_000),
        ("0.000001", 1),
        ("007", 7_000_000),
        ("999999999999.999999", 999_999_999_999_999_999),
    ],
)
def test_an_amount_is_read_exactly(text: str, micros: int) -> None:
    assert Money.parse(text, "USD") == Money(micros, "USD")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 4.99",
        "4.99\n",
        "4,99",
        "$4.99",
        "1e3",
        "1E+999999",
        "NaN",
        "Infinity",
        "1_000",
        "+1",
        ".5",
        "5.",
        "0.0000001",
        "1.0000000000000000000000000000001",
        "1000000000000",
        "\u0664.\u0669\u0669",
        "9" * 5000,
    ],
)
def test_what_is_no_amount_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(NotMoney, match=r"is not an amount; write it like 4\.99\.") as refused:
        Money.parse(text, "USD")
    assert isinstance(refused.value, Invalid)
    assert len(refused.value.message) < 120


@given(AMOUNTS)
def test_an_amount_written_out_reads_back_the_same(micros: int) -> None:
    amount = Money(micros, "EUR")
    if abs(micros) < 10**18:
        assert Money.parse(f"{amount.decimal():f}", "EUR") == amount


@given(AMOUNTS, AMOUNTS)
def test_sums_are_those_of_whole_numbers(one: int, other: int) -> None:
    a, b = Money(one, "USD"), Money(other, "USD")
    assert a + b == Money(one + other, "USD")
    assert a - b == a + -b
    assert (a < b, a <= b, a > b, a >= b) == (one < other, one <= other, one > other, one >= other)


@pytest.mark.parametrize(
    "put_together",
    [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a < b,
        lambda a, b: a <= b,
    ],
)
def test_two_currencies_are_never_put_together(put_together: object) -> None:
    assert callable(put_together)
    with pytest.raises(ValueError, match="USD and EUR"):
        put_together(Money(1, "USD"), Money(1, "EUR"))


@given(WHOLE, WEIGHTS)
def test_a_split_loses_nothing_and_is_fair_to_a_millionth(micros: int, weights: list[int]) -> None:
    parts = Money(micros, "USD").split(weights)
    assert sum(part.micros for part in parts) == micros
    for part, weight in zip(parts, weights, strict=True):
        exact, rest = divmod(micros * weight, sum(weights))
        assert exact <= part.micros <= exact + (rest > 0)
        assert weight or not part.micros


@given(WHOLE, WEIGHTS)
def test_who_has_more_weight_never_gets_less(micros: int, weights: list[int]) -> None:
    parts = Money(micros, "USD").split(weights)
    by_weight = sorted(zip(weights, (part.micros for part in parts), strict=True))
    for (weight, less), (heavier, more) in itertools.pairwise(by_weight):
        assert weight == heavier or less <= more


def test_ten_cents_by_three() -> None:
    parts = Money(MICROS // 10, "USD").split([1, 1, 1])
    assert [part.micros for part in parts] == [33_334, 33_333, 33_333]


@pytest.mark.parametrize(("micros", "weights"), [(1, []), (1, [0, 0]), (1, [2, -1]), (-1, [1, 1])])
def test_a_split_without_meaning_is_refused(micros: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match="non-negative amount and positive weights"):
        Money(micros, "USD").split(weights)


def test_nothing_is_nothing_of_a_currency() -> None:
    assert Money.zero("USD") == Money(0, "USD")
    assert Money.zero("USD") != Money.zero("EUR")
