"""Accounts for tests, with a password whose hash is cheap to check."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from sqlmodel import Session

from marketplace.accounts import sessions, tokens
from marketplace.accounts.models import Account
from marketplace.accounts.sessions import Visitor
from marketplace.kernel.ids import new_id

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = "a quiet caravan at dusk"
OPERATOR = {"email": "o@example.org", "name": "Omar", "password": PASSWORD}
VISITOR = Visitor(address="192.0.2.7", user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")


@cache
def cheap_hash(password: str = PASSWORD) -> str:
    """An argon2id hash that takes a fraction of a millisecond; the costs are part of the hash."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)


def make_account(session: Session, **given: Any) -> Account:
    """An account that can sign in with PASSWORD; `given` overrides any column."""
    number = new_id().hex[-8:]
    values: dict[str, Any] = {
        "email": f"person-{number}@example.org",
        "name": f"Person {number}",
        "password_hash": cheap_hash(),
        "created_at": NOON,
        **given,
    }
    account = Account(**values)
    session.add(account)
    session.flush()  # rows that point at the account need it in the database first
    return account


def make_session(session: Session, account: Account, *, now: datetime = NOON) -> str:
    """The secret of a session of this account, as its browser would carry it."""
    return sessions.open_session(session, account.id, visitor=VISITOR, now=now)


def make_token(session: Session, account: Account, **given: Any) -> tokens.NewToken:
    """An API token of this account."""
    values: dict[str, Any] = {"name": "Laptop", "now": NOON, **given}
    return tokens.new_api_token(session, account.id, **values)
