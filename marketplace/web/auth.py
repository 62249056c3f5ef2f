"""Who is asking: the signed-in person, and the doors that need one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar

from flask import Response, current_app, g, redirect, request, url_for
from sqlmodel import Session

from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import CaravanError, Forbidden
from marketplace.kernel.ids import AccountId

Args = ParamSpec("Args")
Answer = TypeVar("Answer")


class Role(StrEnum):
    """What a person may do; everybody is a shopper."""

    SHOPPER = "shopper"
    DEVELOPER = "developer"
    OPERATOR = "operator"


class TokenScope(StrEnum):
    """What an API token may do.

    PUBLISH: what `caravan` does for a developer: hand in releases, read logs, try the model.
    RUN: run apps in the person's name, allow what they ask for, and read what comes out.
    """

    PUBLISH = "publish"
    RUN = "run"


class NotSignedIn(CaravanError):
    """This needs a person who is signed in, or a valid token."""


@dataclass(frozen=True)
class Actor:
    """The person behind a request.

    Args:
        scopes: what the token may do by which they came (`via_token`).
        has_own_rows: whether the first page may follow what they have run.
    """

    id: AccountId
    name: str
    email: str
    roles: frozenset[Role]
    locale: str | None
    via_token: bool = False
    scopes: frozenset[TokenScope] = frozenset()
    has_own_rows: bool = True

    @property
    def is_developer(self) -> bool:
        """Whether they publish apps."""
        return Role.DEVELOPER in self.roles

    @property
    def is_operator(self) -> bool:
        """Whether they run this store."""
        return Role.OPERATOR in self.roles


class Identity(Protocol):
    """Finds people by what their browser or program carries; `accounts` fills it in."""

    def by_session(self, session: Session, secret: str, *, now: datetime) -> Actor | None:
        """The person of a session cookie, or None when it is unknown or over."""

    def by_token(self, session: Session, secret: str, *, now: datetime) -> Actor | None:
        """The person of an API token, or None when it is unknown, revoked or over."""


def session_cookie() -> str:
    """The name of the session cookie; the `__Host-` prefix needs https."""
    return "__Host-caravan" if current_app.config["SECURE_COOKIES"] else "caravan"


def session_secret() -> str:
    """The secret this browser carries, or ""."""
    return request.cookies.get(session_cookie(), "")


def set_session_cookie(response: Response, secret: str, *, max_age_s: int) -> None:
    """Give the browser a session's secret."""
    response.set_cookie(
        session_cookie(),
        secret,
        max_age=max_age_s,
        secure=current_app.config["SECURE_COOKIES"],
        httponly=True,
        samesite="Lax",
        path="/",
    )


def clear_session_cookie(response: Response) -> None:
    """Take the session's secret from the browser."""
    response.delete_cookie(
        session_cookie(), secure=current_app.config["SECURE_COOKIES"], httponly=True, path="/"
    )


def bearer_secret() -> str | None:
    """The token of the Authorization header, if there is one. Tokens open the API alone."""
    if not request.path.startswith("/api/"):
        return None
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" and secret.strip() else None


def actor() -> Actor | None:
    """The person who asks, or None. Read once per request, in a session of its own."""
    if "actor" not in g:
        g.actor = _find_actor()
    found: Actor | None = g.actor
    return found


def _find_actor() -> Actor | None:
    identity: Identity = current_app.extensions["identity"]
    token, cookie = bearer_secret(), request.cookies.get(session_cookie())
    if token is None and cookie is None:
        return None
    with current_app.extensions["database"].reading() as session:
        if token is not None:
            return identity.by_token(session, token, now=utc_now())
        return identity.by_session(session, cookie or "", now=utc_now())


def known_actor() -> Actor:
    """The person who asks. Raises: NotSignedIn."""
    found = actor()
    if found is None:
        raise NotSignedIn("Please sign in first.")
    return found


def actor_id() -> AccountId:
    """The id of the person who asks. Raises: NotSignedIn."""
    return known_actor().id


def wants_json() -> bool:
    """Whether the answer, or an error, is for a program."""
    return request.path.startswith("/api/") or (
        request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"
    )


def _guarded(
    view: Callable[Args, Answer],
    allowed: Callable[[Actor], bool],
    refusal: str,
    scope: TokenScope | None,
) -> Callable[Args, Answer | Response]:
    @wraps(view)
    def guarded(*args: Args.args, **kwargs: Args.kwargs) -> Answer | Response:
        person = actor()
        if person is None:
            if wants_json() or request.method not in {"GET", "HEAD"}:
                raise NotSignedIn(
                    "That token is not valid; make a new one on the developer portal."
                    if bearer_secret()
                    else "Please sign in first."
                )
            where = url_for("accounts.sign_in", next=request.full_path.rstrip("?"))
            return current_app.make_response(redirect(where, code=303))
        if person.via_token and scope is not None and scope not in person.scopes:
            raise Forbidden(
                "This token may not do that. Make one that may on the developer portal.",
                rule="token.scope",
            )
        if not allowed(person):
            raise Forbidden(refusal)
        return view(*args, **kwargs)

    return guarded


def signed_in_only(view: Callable[Args, Answer]) -> Callable[Args, Answer | Response]:
    """A view for people who are signed in; others are sent to sign in and come back."""
    return _guarded(view, lambda _: True, "", TokenScope.RUN)


def any_token_too(view: Callable[Args, Answer]) -> Callable[Args, Answer | Response]:
    """A view for people who are signed in, and for their tokens, whatever those may do."""
    return _guarded(view, lambda _: True, "", None)


def developer_only(view: Callable[Args, Answer]) -> Callable[Args, Answer | Response]:
    """A view for developers."""
    return _guarded(
        view,
        lambda person: person.is_developer,
        "This is for developers. Become one on the developer portal; it takes a moment.",
        TokenScope.PUBLISH,
    )


def operator_only(view: Callable[Args, Answer]) -> Callable[Args, Answer | Response]:
    """A view for the people who run this store; a token never has this role."""
    return _guarded(
        view,
        lambda person: person.is_operator,
        "This is for the operators of this store.",
        None,
    )
