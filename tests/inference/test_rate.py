"""Tokens a second, as a status shows them."""

from marketplace.inference.rate import WINDOW_S, Rate


def test_a_rate_is_known_after_a_window_and_forgotten_after_two_quiet_ones() -> None:
    rate = Rate(10.0)
    rate.add(30, 11.0)
    assert rate.per_s(11.0) == 0
    rate.add(30, 10.0 + WINDOW_S)
    assert rate.per_s(10.0 + WINDOW_S) == 60 / WINDOW_S
    assert rate.per_s(9.9 + 3 * WINDOW_S) == 60 / WINDOW_S
    assert rate.per_s(10.0 + 3 * WINDOW_S) == 0


def test_each_window_counts_only_its_own() -> None:
    rate = Rate(0.0)
    rate.add(100, WINDOW_S)
    rate.add(10, 2 * WINDOW_S)
    assert rate.per_s(2 * WINDOW_S) == 10 / WINDOW_S
    assert rate.total == 110
