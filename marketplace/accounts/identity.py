"""Finds the person behind a session cookie or an API token."""

from datetime import datetime
from uuid import UUID

import structlog
from sqlmodel import Session, col, select

from marketplace.accounts import sessions, tokens
from marketplace.accounts.credentials import fingerprint
from marketplace.accounts.models import Account, AccountSession, ApiToken
from marketplace.infra.db import Database, DatabaseBusy
from marketplace.kernel.ids import TokenId
from marketplace.web import edge
from marketplace.web.auth import Actor, Role, TokenScope

# A tool's token may publish, never run the store: it lies in files and build logs.
TOKEN_ROLES = frozenset({Role.SHOPPER, Role.DEVELOPER})

log = structlog.get_logger()


class AccountIdentity:
    """Fills in `web.auth.Identity` from the accounts tables.

    Args:
        database: where a token's use is noted, at most once a day, and a browser's visit.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_session(self, session: Session, secret: str, *, now: datetime) -> Actor | None:
        """The person of a session cookie, or None when it is unknown or over.

        Effects: notes the browser's visit after this request's commit, once an hour at most.
        """
        row = session.exec(
            select(Account, AccountSession)
            .join(AccountSession, col(AccountSession.account_id) == col(Account.id))
            .where(
                AccountSession.secret_hash == fingerprint(secret),
                col(AccountSession.expires_at) > now,
                col(Account.is_closed).is_(False),
            )
        ).first()
        if row is None:
            return None
        account, browser = row
        if browser.last_seen_at is None or browser.last_seen_at < now - sessions.VISIT_NOTED_EVERY:
            edge.after_commit(lambda: self._note_visit(browser.id, now))
        return _actor(account)

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
        scopes = frozenset(TokenScope(scope) for scope in token.scopes)
        return _actor(account, via_token=True, scopes=scopes)

    def _note_visit(self, session_id: UUID, now: datetime) -> None:
        try:
            with self._database.writing() as session:
                sessions.note_visit(session, session_id, now=now)
        except DatabaseBusy:
            log.warning("session.visit_not_noted", session=str(session_id))

    def _note_use(self, token_id: TokenId, now: datetime) -> None:
        try:
            with self._database.writing() as session:
                tokens.note_use(session, token_id, now=now)
        except DatabaseBusy:
            # The request itself is done and saved; the next one will note it.
            log.warning("token.use_not_noted", token=str(token_id))


def _actor(
    account: Account, *, via_token: bool = False, scopes: frozenset[TokenScope] = frozenset()
) -> Actor:
    return Actor(
        id=account.id,
        name=account.name,
        email=account.email,
        roles=account.roles & TOKEN_ROLES if via_token else account.roles,
        locale=account.locale,
        via_token=via_token,
        scopes=scopes,
        has_own_rows=account.has_own_rows,
    )
