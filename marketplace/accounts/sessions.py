"""The browsers in which people are signed in: begun, seen, ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, delete, update

from marketplace.accounts.credentials import fingerprint, new_secret
from marketplace.accounts.models import AccountSession
from marketplace.kernel.ids import AccountId

SESSION_S = 30 * 24 * 3600
VISIT_NOTED_EVERY = timedelta(hours=1)
LONGEST_USER_AGENT = 200


@dataclass(frozen=True)
class Visitor:
    """Where a request came from, as far as we keep it."""

    address: str | None
    user_agent: str


def open_session(
    session: Session, account_id: AccountId, *, visitor: Visitor, now: datetime
) -> str:
    """Sign a browser in for thirty days, and return the secret it must carry."""
    secret = new_secret()
    session.exec(
        delete(AccountSession).where(
            col(AccountSession.account_id) == account_id, col(AccountSession.expires_at) <= now
        )
    )
    session.add(
        AccountSession(
            account_id=account_id,
            secret_hash=fingerprint(secret),
            user_agent=visitor.user_agent[:LONGEST_USER_AGENT],
            created_at=now,
            last_seen_at=now,
            expires_at=now + timedelta(seconds=SESSION_S),
        )
    )
    return secret


def note_visit(session: Session, session_id: UUID, *, now: datetime) -> None:
    """Remember that a browser was here, unless that was noted within the last hour."""
    at = col(AccountSession.last_seen_at)
    session.exec(
        update(AccountSession)
        .where(col(AccountSession.id) == session_id, at.is_(None) | (at < now - VISIT_NOTED_EVERY))
        .values(last_seen_at=now)
    )


def sign_out(session: Session, secret: str) -> None:
    """End the session with this secret; nothing happens when there is none."""
    session.exec(
        delete(AccountSession).where(col(AccountSession.secret_hash) == fingerprint(secret))
    )


def end(session: Session, account_id: AccountId, session_id: UUID) -> None:
    """End one of an account's sessions; nothing happens when it has none of this id."""
    session.exec(
        delete(AccountSession).where(
            col(AccountSession.id) == session_id, col(AccountSession.account_id) == account_id
        )
    )


def end_others(session: Session, account_id: AccountId, secret: str) -> None:
    """End every session of an account but the one with this secret."""
    session.exec(
        delete(AccountSession).where(
            col(AccountSession.account_id) == account_id,
            col(AccountSession.secret_hash) != fingerprint(secret),
        )
    )


def end_all(session: Session, account_id: AccountId) -> None:
    """End every session of an account, this one too."""
    session.exec(delete(AccountSession).where(col(AccountSession.account_id) == account_id))
