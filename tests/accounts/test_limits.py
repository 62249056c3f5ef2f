"""Counting attempts: how many, for how long, and who counts as one."""

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from marketplace.accounts import limits
from marketplace.accounts.models import SignInAttempt
from marketplace.infra.db import Database
from tests.factories.accounts import NOON
from tests.factories.rivals import refusal_of_the_second

THREE = limits.Limit(most=3, window_s=60)


def test_attempts_are_counted_per_subject_in_a_sliding_window(session: Session) -> None:
    for second in range(3):
        limits.count(session, "one", THREE, now=NOON + timedelta(seconds=second))
    with pytest.raises(limits.TooManyAttempts) as refused:
        limits.count(session, "one", THREE, now=NOON + timedelta(seconds=10))
    assert refused.value.retry_after_s == 50
    limits.count(session, "two", THREE, now=NOON + timedelta(seconds=10))
    limits.count(session, "one", THREE, now=NOON + timedelta(seconds=60))


def test_a_refused_attempt_does_not_make_the_wait_longer(session: Session) -> None:
    for _ in range(3):
        limits.count(session, "one", THREE, now=NOON)
    for second in range(50):
        with pytest.raises(limits.TooManyAttempts):
            limits.count(session, "one", THREE, now=NOON + timedelta(seconds=second))
    limits.count(session, "one", THREE, now=NOON + timedelta(seconds=60))


def test_old_attempts_do_not_pile_up(session: Session) -> None:
    limits.count(session, "one", THREE, now=NOON)
    limits.count(session, "two", THREE, now=NOON + timedelta(hours=2))
    assert [row.subject for row in session.exec(select(SignInAttempt)).all()] == ["two"]


def test_attempts_that_come_together_are_counted_too(empty_database: Database) -> None:
    one = limits.Limit(most=1, window_s=60)
    name = limits.subject("sign-in e-mail", "lina@example.org")
    refusal = refusal_of_the_second(
        empty_database, lambda session: limits.count(session, name, one, now=NOON)
    )
    assert isinstance(refusal, limits.TooManyAttempts)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (None, "unknown"),
        ("@", "unknown"),
    ],
)
def test_what_one_customer_gets_counts_as_one_address(address: str | None, counted: str) -> None:
    assert limits.network(address) == counted


def test_a_subject_tells_nobody_the_address() -> None:
    assert "lina" not in limits.subject("sign-in e-mail", "lina@example.org")
    assert limits.subject("a", "b") != limits.subject("c", "b")
