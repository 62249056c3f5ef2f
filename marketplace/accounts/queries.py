"""Reads of accounts: sessions, tokens, names."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from marketplace.accounts.credentials import fingerprint
from marketplace.accounts.models import Account, AccountSession, ApiToken
from marketplace.accounts.pages import SessionRow, TokenRow
from marketplace.kernel.ids import AccountId


def names(session: Session, ids: Collection[AccountId]) -> Mapping[AccountId, str]:
    """The names of these accounts; an id that nobody has is left out."""
    rows = session.exec(select(Account.id, Account.name).where(col(Account.id).in_(set(ids)))).all()
    return {AccountId(key): name for key, name in rows}


def sessions(
    session: Session, account_id: AccountId, *, secret: str, now: datetime
) -> Sequence[SessionRow]:
    """Where an account is signed in, the latest first; `secret` marks the browser that asks."""
    rows = session.exec(
        select(AccountSession)
        .where(AccountSession.account_id == account_id, col(AccountSession.expires_at) > now)
        .order_by(col(AccountSession.created_at).desc())
    ).all()
    return [
        SessionRow(
            browser=row.user_agent,
            created_at=row.created_at,
            is_present=row.secret_hash == fingerprint(secret),
        )
        for row in rows
    ]


def tokens(session: Session, account_id: AccountId, *, now: datetime) -> Sequence[TokenRow]:
    """An account's tokens, the newest first; those that ended stay in the list."""
    rows = session.exec(
        select(ApiToken)
        .where(ApiToken.account_id == account_id)
        .order_by(col(ApiToken.created_at).desc())
    ).all()
    return [
        TokenRow(
            id=row.id,
            name=row.name,
            prefix=row.prefix,
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            state="revoked" if row.revoked_at else "ended" if row.expires_at <= now else "good",
        )
        for row in rows
    ]
