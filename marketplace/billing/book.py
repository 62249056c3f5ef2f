"""The ledger on disk: posting once, and reading back what is left of something."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from marketplace.billing import ledger
from marketplace.billing.ledger import Transaction
from marketplace.billing.models import LedgerEntry, LedgerTransaction
from marketplace.kernel.ids import AppId
from marketplace.kernel.money import Money


class KeyReused(ValueError):
    """One external key was used for two different transactions. A fault of ours."""


def post(
    session: Session,
    transaction: Transaction,
    *,
    subject_id: UUID,
    app_id: AppId | None = None,
    now: datetime,
) -> bool:
    """Write a transaction into the book, once.

    Args:
        subject_id: what it is about, such as an order.
    Returns: whether it is new; False when its external key is already there.
    Raises: KeyReused when that key stands for something else.
    """
    known = _known(session, transaction.external_key)
    if known is None:
        row = LedgerTransaction(
            kind=transaction.kind,
            external_key=transaction.external_key,
            corrects=transaction.corrects,
            subject_id=subject_id,
            app_id=app_id,
            occurred_at=now,
        )
        try:
            with session.begin_nested():
                session.add(row)
                session.flush()  # the entries point at the row, and the key may be taken
        except IntegrityError:
            known = _known(session, transaction.external_key)
            if known is None:
                raise
        else:
            session.add_all(_entries(row, transaction))
            session.flush()  # what is left of a subject is read from the database
            return True
    _check_same(session, known, transaction)
    return False


def _known(session: Session, external_key: str) -> LedgerTransaction | None:
    return session.exec(
        select(LedgerTransaction).where(LedgerTransaction.external_key == external_key)
    ).first()


def _entries(row: LedgerTransaction, transaction: Transaction) -> list[LedgerEntry]:
    return [
        LedgerEntry(
            transaction_id=row.id,
            account=posting.account,
            amount_micros=posting.amount.micros,
            currency=posting.amount.currency,
        )
        for posting in transaction.postings
    ]


def _check_same(session: Session, known: LedgerTransaction, transaction: Transaction) -> None:
    entries = session.exec(select(LedgerEntry).where(LedgerEntry.transaction_id == known.id)).all()
    before = Counter((entry.account, entry.amount) for entry in entries)
    if before != Counter((p.account, p.amount) for p in transaction.postings):
        raise KeyReused(f"{transaction.external_key} already stands for another transaction.")


def remaining(session: Session, subject_id: UUID) -> Mapping[str, Money]:
    """What is left of each part of a payment: account → amount, without the till's side."""
    rows = session.exec(
        select(LedgerEntry.account, LedgerEntry.currency, func.sum(LedgerEntry.amount_micros))
        .join(LedgerTransaction, col(LedgerTransaction.id) == col(LedgerEntry.transaction_id))
        .where(LedgerTransaction.subject_id == subject_id, LedgerEntry.account != ledger.TILL)
        .group_by(LedgerEntry.account, LedgerEntry.currency)
        .order_by(LedgerEntry.account)
    ).all()
    return {account: Money(-int(micros), currency) for account, currency, micros in rows}


def balance(session: Session, account: str, currency: str) -> Money:
    """An account's balance: positive for debits, negative for credits."""
    micros = session.exec(
        select(func.coalesce(func.sum(LedgerEntry.amount_micros), 0)).where(
            LedgerEntry.account == account, LedgerEntry.currency == currency
        )
    ).one()
    return Money(int(micros), currency)
