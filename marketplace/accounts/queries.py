"""Reads of accounts: sessions, tokens, names."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from marketplace.accounts.credentials import fingerprint
from marketplace.accounts.devices import device
from marketplace.accounts.models import Account, AccountSession, ApiToken
from marketplace.accounts.pages import SessionRow, TokenRow
from marketplace.kernel.ids import AccountId
from marketplace.web.auth import TokenScope


def account(session: Session, account_id: AccountId) -> Account:
    """The account behind a session that was just found."""
    return session.get_one(Account, account_id)


def names(session: Session, ids: Collection[AccountId]) -> Mapping[AccountId, str]:
    """The names of these accounts; an id that nobody has is left out."""
    rows = session.exec(select(Account.id, Account.name).where(col(Account.id).in_(set(ids)))).all()
    return {AccountId(key): name for key, name in rows}


def sessions(
    session: Session, account_id: AccountId, *, secret: str, now: datetime
) -> Sequence[SessionRow]:
    """Where an account is signed in: the browser that asks, by its `secret`, then the latest."""
    rows = session.exec(
        select(AccountSession).where(
            AccountSession.account_id == account_id, col(AccountSession.expires_at) > now
        )
    ).all()
    found = []
    for row in rows:
        browser, system = device(row.user_agent)
        found.append(
            SessionRow(
                id=row.id,
                browser=browser,
                system=system,
                created_at=row.created_at,
                last_seen_at=row.last_seen_at or row.created_at,
                is_present=row.secret_hash == fingerprint(secret),
            )
        )
    return sorted(found, key=lambda row: (row.is_present, row.last_seen_at), reverse=True)


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
            may_run=TokenScope.RUN in row.scopes,
            state="revoked" if row.revoked_at else "ended" if row.expires_at <= now else "good",
        )
        for row in rows
    ]
