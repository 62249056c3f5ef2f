"""A finished run shown to whoever has its link: only if its person wants, and while they do."""

import secrets
from datetime import datetime

from sqlmodel import Session, select

from marketplace.catalog.models import App, AppState
from marketplace.kernel.errors import Conflict, NotFound
from marketplace.runs.models import Run, RunState, Share
from marketplace.web.i18n import gettext as _

TOKEN_BYTES = 24


class NotFinished(Conflict):
    """Only a run that came to its end can be shown to others."""


class NothingShared(NotFound):
    """No run is shown under this link, or not any more."""


def share(session: Session, run: Run, *, shows_input: bool, now: datetime) -> Share:
    """Make a link to a finished run, or change what the one there is shows.

    Args:
        shows_input: whether others also see what was asked; secrets they never see.
    Raises: NotFinished.
    """
    if run.state is not RunState.FINISHED:
        raise NotFinished(_("Only a run that came to its end can be shown to others."))
    found = session.get(Share, run.id, with_for_update=True)
    found = found or Share(run_id=run.id, token=secrets.token_urlsafe(TOKEN_BYTES), shared_at=now)
    found.shows_input = shows_input
    session.add(found)
    return found


def take_back(session: Session, run: Run) -> None:
    """End a run's link; a later one is another. Nothing happens when there is none."""
    found = session.get(Share, run.id)
    if found is not None:
        session.delete(found)


def of(session: Session, run: Run) -> Share | None:
    """The link there is to a run."""
    return session.get(Share, run.id)


def shared(session: Session, token: str) -> tuple[Run, Share]:
    """The run under a link. Raises: NothingShared, also once its app was taken down."""
    found = session.exec(
        select(Run, Share, App.state).join(Share).join(App).where(Share.token == token)
    ).first()
    if found is None or found[2] is AppState.BLOCKED:
        raise NothingShared(_("Nothing is shown under this link, or not any more."))
    run, link, _state = found
    return run, link
