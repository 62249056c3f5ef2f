"""The book on disk: each key once, and what is written stays as it was written."""

from uuid import uuid4

import pytest
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session, select, text

from marketplace.billing import book, ledger
from marketplace.billing.book import KeyReused
from marketplace.billing.models import LedgerEntry, LedgerTransaction
from marketplace.kernel.money import Money
from tests.factories.billing import NOON

ONE = Money(1_000_000, "USD")
SUBJECT = uuid4()


def _transaction(key: str, amount: Money = ONE) -> ledger.Transaction:
    return ledger.transaction("test", key, {ledger.TILL: amount, ledger.COMMISSION: -amount})


def test_a_transaction_is_posted_once_for_each_key(session: Session) -> None:
    assert book.post(session, _transaction("a"), subject_id=SUBJECT, now=NOON)
    assert not book.post(session, _transaction("a"), subject_id=SUBJECT, now=NOON)
    assert book.balance(session, ledger.TILL, "USD") == ONE
    assert len(session.exec(select(LedgerTransaction)).all()) == 1


def test_a_key_cannot_stand_for_two_transactions(session: Session) -> None:
    book.post(session, _transaction("a"), subject_id=SUBJECT, now=NOON)
    with pytest.raises(KeyReused):
        book.post(session, _transaction("a", ONE + ONE), subject_id=SUBJECT, now=NOON)
    assert book.balance(session, ledger.TILL, "USD") == ONE


def test_what_remains_of_a_subject_leaves_the_till_out(session: Session) -> None:
    book.post(session, _transaction("a"), subject_id=SUBJECT, now=NOON)
    book.post(session, _transaction("b"), subject_id=uuid4(), now=NOON)
    assert book.remaining(session, SUBJECT) == {ledger.COMMISSION: ONE}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE billing_ledger_entry SET amount_micros = 1",
        "DELETE FROM billing_ledger_entry",
        "UPDATE billing_ledger_transaction SET kind = 'other'",
        "DELETE FROM billing_ledger_transaction",
    ],
)
def test_the_database_refuses_to_rewrite_the_book(session: Session, change: str) -> None:
    book.post(session, _transaction("a"), subject_id=SUBJECT, now=NOON)
    with pytest.raises(DatabaseError, match="append-only"), session.begin_nested():
        session.exec(text(change))  # type: ignore[call-overload]
    assert [
        entry.amount
        for entry in session.exec(
            select(LedgerEntry).where(LedgerEntry.account == ledger.TILL)
        ).all()
    ] == [ONE]
