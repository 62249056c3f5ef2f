"""Finds the person behind a session cookie or an API token."""

from datetime import datetime

import structlog
from sqlmodel import Session, col, select

from marketplace.accounts import tokens
from marketplace.accounts.credentials import fingerprint
from marketplace.accounts.models import Account, AccountSession, ApiToken
from marketplace.infra.db import Database, DatabaseBusy
from marketplace.kernel.ids import TokenId
from marketplace.web import edge
from marketplace.web.auth import Actor, Role

# A tool's token may publish, never run the store: it lies in files and build logs.
TOKEN_ROLES = frozenset({Role.SHOPPER, Role.DEVELOPER})

log = structlog.get_logger()


class AccountIdentity:
    """Fills in `web.auth.Identity` from the accounts tables.

    Args:
        database: where a token's use is noted, at most once a day.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_session(self, session: Session, secret: str, *, now: datetime) -> Actor | None:
        """The person of a session cookie, or None when it is unknown or over."""
        account = session.exec(
            select(Account)
            .join(AccountSession, col(AccountSession.account_id) == col(Account.id))
            .where(
                AccountSession.secret_hash == fingerprint(secret),
                col(AccountSession.expires_at) > now,
                col(Account.is_closed).is_(False),
            )
        ).first()
        return _actor(account) if account else None

    def by_token(self, session: Session, secret: str, *, now: datetime) -> Actor | None:
        """The person of an API token, or None when it is unknown, revoked or over.

        Effects: notes the token's use after this request's commit.
        """
        row = session.exec(
            select(Account, ApiToken)
            .join(ApiToken, col(ApiToken.account_id) == col(Account.id))
            .where(
                ApiToken.secret_hash == fingerprint(secret),
                col(ApiToken.expires_at) > now,
                col(ApiToken.revoked_at).is_(None),
                col(Account.is_closed).is_(False),
            )
        ).first()
        if row is None:
            return None
        account, token = row
        if token.last_used_at is None or token.last_used_at < now - tokens.NOTED_EVERY:
            # Not now: the request's own session may hold the write gate already.
            edge.after_commit(lambda: self._note_use(token.id, now))
        return _actor(account, via_token=True)

    def _note_use(self, token_id: TokenId, now: datetime) -> None:
        try:
            with self._database.writing() as session:
                tokens.note_use(session, token_id, now=now)
        except DatabaseBusy:
            # The request itself is done and saved; the next one will note it.
            log.warning("token.use_not_noted", token=str(token_id))


def _actor(account: Account, *, via_token: bool = False) -> Actor:
    return Actor(
        id=account.id,
        name=account.name,
        email=account.email,
        roles=account.roles & TOKEN_ROLES if via_token else account.roles,
        locale=account.locale,
        via_token=via_token,
        has_own_rows=account.has_own_rows,
    )
