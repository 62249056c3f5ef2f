"""Which version of an app a person gets: the stable one, or the beta one they asked for."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case
from sqlmodel import Session, col, delete, select

from marketplace.catalog.models import App, Release, Tester, number_of
from marketplace.kernel.ids import AccountId, AppId


def release_for(session: Session, app: App, person_id: AccountId | None) -> Release | None:
    """The version of an app that a person runs now, or None where there is none yet."""
    is_theirs = app.beta_release_id is not None and is_tester(session, app.id, person_id)
    chosen = app.beta_release_id if is_theirs else app.current_release_id
    return session.get(Release, chosen) if chosen else None


def release_id(person_id: AccountId) -> ColumnElement[UUID | None]:
    """The same in a query: the id of the release that a person gets of the `App` in it."""
    has_asked = (
        select(Tester.app_id)
        .where(Tester.app_id == App.id, Tester.person_id == person_id)
        .correlate(App)
        .exists()
    )
    return case(
        (col(App.beta_release_id).is_not(None) & has_asked, col(App.beta_release_id)),
        else_=col(App.current_release_id),
    )


def is_tester(session: Session, app_id: AppId, person_id: AccountId | None) -> bool:
    """Whether a person has asked for the beta versions of an app."""
    return person_id is not None and session.get(Tester, (app_id, person_id)) is not None


def join(session: Session, app_id: AppId, person_id: AccountId, *, now: datetime) -> None:
    """Give a person the beta versions of an app from now on; once is enough."""
    if not is_tester(session, app_id, person_id):
        session.add(Tester(app_id=app_id, person_id=person_id, joined_at=now))


def leave(session: Session, app_id: AppId, person_id: AccountId) -> None:
    """Give a person the stable version again."""
    session.exec(
        delete(Tester).where(col(Tester.app_id) == app_id, col(Tester.person_id) == person_id)
    )


def is_newer(release: Release, present: Release | None) -> bool:
    """Whether a release may take the place of the present one."""
    return present is None or number_of(release.version) >= number_of(present.version)
