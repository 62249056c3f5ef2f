"""What people report about apps, and what an operator makes of it."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import update
from sqlmodel import Session, col, select

from marketplace.accounts import limits
from marketplace.accounts.limits import Limit
from marketplace.accounts.models import Account
from marketplace.catalog import service as catalog
from marketplace.catalog.models import App, AppState
from marketplace.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from marketplace.kernel.ids import AccountId, AppId
from marketplace.kernel.words import noted
from marketplace.review.models import AppReport
from marketplace.web.i18n import gettext as _
from marketplace.web.templating import send_letter

KINDS: Mapping[str, str] = {
    "broken": noted("It does not work"),
    "misleading": noted("It is not what it says it is"),
    "harmful": noted("It is harmful or illegal"),
    "private": noted("It mishandles private data"),
    "copied": noted("It copies somebody's work or name"),
}
BY_PERSON = Limit(most=10, window_s=3600)


class OwnApp(Forbidden):
    """Nobody reports an app of their own."""


class NoSuchApp(NotFound):
    """The store has no app of this ident, listed or not."""


class NoReason(Invalid):
    """An app is not taken down without a reason for its developer."""


class NotListed(Conflict):
    """Only an app that is in the store can be taken down."""


class NotBlocked(Conflict):
    """Only an app that was taken down can be put back."""


def report(
    session: Session, app: App, *, reporter_id: AccountId, kind: str, words: str, now: datetime
) -> None:
    """Put one report into the queue; a person's later report of the same app replaces it.

    Args:
        kind: a key of KINDS.
    Raises: OwnApp, TooManyAttempts after ten within an hour.
    """
    if app.owner_id == reporter_id:
        raise OwnApp(_("This app is yours: publish a better version instead."))
    limits.count(session, limits.subject("app-report", str(reporter_id)), BY_PERSON, now=now)
    known = session.get(AppReport, (app.id, reporter_id))
    if known is None:
        known = AppReport(app_id=app.id, reporter_id=reporter_id, kind=kind, created_at=now)
        session.add(known)
    known.kind, known.words, known.created_at = kind, words, now
    known.decided_at = known.decided_by = None


def app_of(session: Session, ident: str) -> App:
    """One app in any state, locked for a decision. Raises: NoSuchApp."""
    app = session.exec(select(App).where(App.ident == ident).with_for_update()).first()
    if app is None:
        raise NoSuchApp(_("There is no app “%(ident)s” in this store.", ident=ident))
    return app


def take_down(
    session: Session, ident: str, *, operator_id: AccountId, reason: str, now: datetime
) -> App:
    """Take an app out of the store and write its developer why.

    Raises: NoSuchApp, NoReason, NotListed.
    Effects: its open reports are decided.
    """
    app = app_of(session, ident)
    if not reason:
        message = _("Write what the developer must know and change.")
        raise NoReason(message, fields={"reason": message})
    if app.state is not AppState.LISTED:
        raise NotListed(_("This app is not in the store now."))
    catalog.take_down(session, app, reason=reason)
    owner = session.get_one(Account, app.owner_id)
    if owner.password_hash is not None:  # the store itself reads no letters
        send_letter(session, "taken_down", to=owner.email, app_name=app.name, reason=reason)
    _decide(session, app, operator_id=operator_id, now=now)
    return app


def dismiss(session: Session, ident: str, *, operator_id: AccountId, now: datetime) -> App:
    """Leave an app as it is; its open reports are decided. Raises: NoSuchApp."""
    app = app_of(session, ident)
    _decide(session, app, operator_id=operator_id, now=now)
    return app


def put_back(session: Session, ident: str) -> App:
    """Put an app that was taken down into the store again. Raises: NoSuchApp, NotBlocked."""
    app = app_of(session, ident)
    if app.state is not AppState.BLOCKED:
        raise NotBlocked(_("This app was not taken down."))
    catalog.put_back(session, app)
    return app


def _decide(session: Session, app: App, *, operator_id: AccountId, now: datetime) -> None:
    session.exec(
        update(AppReport)
        .where(col(AppReport.app_id) == AppId(app.id), col(AppReport.decided_at).is_(None))
        .values(decided_at=now, decided_by=operator_id)
    )
