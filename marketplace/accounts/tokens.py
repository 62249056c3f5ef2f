"""API tokens: made by a developer for their tools, revoked at any time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select, update

from marketplace.accounts.credentials import fingerprint, new_token_secret, shown_prefix
from marketplace.accounts.models import ApiToken
from marketplace.kernel.errors import Conflict, NotFound
from marketplace.kernel.ids import AccountId, TokenId
from marketplace.web.auth import TokenScope
from marketplace.web.i18n import gettext as _

TOKEN_DAYS = 180
MOST_TOKENS = 20
NOTED_EVERY = timedelta(days=1)


class TooManyTokens(Conflict):
    """This account has as many tokens as it may."""


class NoToken(NotFound):
    """No token of this account has this id."""


@dataclass(frozen=True)
class NewToken:
    """A token, and its secret: the only time that the secret is seen."""

    token: ApiToken
    secret: str


def new_api_token(
    session: Session,
    account_id: AccountId,
    *,
    name: str,
    now: datetime,
    days: int = TOKEN_DAYS,
    scopes: tuple[TokenScope, ...] = (TokenScope.PUBLISH,),
) -> NewToken:
    """Make a token that lasts `days` days. Raises: TooManyTokens."""
    usable = session.exec(
        select(func.count())
        .select_from(ApiToken)
        .where(
            ApiToken.account_id == account_id,
            col(ApiToken.revoked_at).is_(None),
            col(ApiToken.expires_at) > now,
        )
    ).one()
    if usable >= MOST_TOKENS:
        raise TooManyTokens(
            _("You have %(n)s tokens already. Revoke one that you do not use any more.")
            % {"n": MOST_TOKENS}
        )
    secret = new_token_secret()
    token = ApiToken(
        account_id=account_id,
        name=name,
        prefix=shown_prefix(secret),
        secret_hash=fingerprint(secret),
        scopes=[scope.value for scope in scopes],
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    session.add(token)
    return NewToken(token, secret)


def revoke(
    session: Session, token_id: TokenId, *, account_id: AccountId, now: datetime
) -> ApiToken:
    """End a token at once; one that is revoked stays so. Raises: NoToken."""
    token = session.get(ApiToken, token_id, with_for_update=True)
    if token is None or token.account_id != account_id:
        raise NoToken(_("You have no such token."))
    token.revoked_at = token.revoked_at or now
    return token


def revoke_all(session: Session, account_id: AccountId, *, now: datetime) -> None:
    """End every token of an account at once."""
    session.exec(
        update(ApiToken)
        .where(col(ApiToken.account_id) == account_id, col(ApiToken.revoked_at).is_(None))
        .values(revoked_at=now)
    )


def note_use(session: Session, token_id: TokenId, *, now: datetime) -> None:
    """Remember that the token was used, unless that was noted within the last day."""
    stale = col(ApiToken.last_used_at).is_(None) | (col(ApiToken.last_used_at) < now - NOTED_EVERY)
    session.exec(
        update(ApiToken).where(col(ApiToken.id) == token_id, stale).values(last_used_at=now)
    )
