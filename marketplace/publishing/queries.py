"""Reads of the developer portal."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sqlmodel import Session, col, select

from marketplace.catalog.models import App, AppState, Release
from marketplace.kernel.errors import NotFound
from marketplace.kernel.ids import AccountId, AppId, ReleaseId
from marketplace.kernel.money import Money
from marketplace.publishing.pages import AppReleases, AppRow, ReleaseRow
from marketplace.web.i18n import gettext as _

# What the checks found, by release; `review` keeps it on a higher floor and app.py hands it in.
Findings = Callable[[Session, Sequence[ReleaseId]], Mapping[ReleaseId, list[dict[str, Any]]]]


class Earned(Protocol):
    """What one app brought its developer; `billing` knows it."""

    @property
    def sales(self) -> int:
        """How many were sold and kept."""

    @property
    def shares(self) -> Sequence[Money]:
        """The developer's part, one amount a currency."""


EarnedBy = Callable[[Session, AccountId], Mapping[AppId, Any]]


class NotYours(NotFound):
    """No app of this developer has this ident."""


def apps(session: Session, developer_id: AccountId, earned_by: EarnedBy) -> list[AppRow]:
    """A developer's apps with runs, sales and what they earned."""
    found = session.exec(select(App).where(App.owner_id == developer_id).order_by(App.ident)).all()
    current = session.exec(
        select(Release.id, Release.version).where(
            col(Release.id).in_([app.current_release_id for app in found])
        )
    ).all()
    versions = dict(current)
    earned = earned_by(session, developer_id)
    rows = []
    for app in found:
        money = earned.get(app.id)
        rows.append(
            AppRow(
                ident=app.ident,
                name=app.name,
                state=app.state.value,
                version=versions.get(app.current_release_id, "") if app.current_release_id else "",
                runs=app.run_count,
                sales=money.sales if money else 0,
                earned=money.shares if money else (),
            )
        )
    return rows


def own_app(
    session: Session, ident: str, developer_id: AccountId, *, is_locked: bool = False
) -> App:
    """One of the developer's apps, locked where it is to be changed. Raises: NotYours."""
    wanted = select(App).where(App.ident == ident, App.owner_id == developer_id)
    app = session.exec(wanted.with_for_update() if is_locked else wanted).first()
    if app is None:
        raise NotYours(_("You have no app “%(ident)s”.", ident=ident))
    return app


def releases(
    session: Session, ident: str, developer_id: AccountId, findings: Findings
) -> AppReleases:
    """One of the developer's apps with its versions. Raises: NotYours."""
    app = own_app(session, ident, developer_id)
    found = session.exec(
        select(Release).where(Release.app_id == app.id).order_by(col(Release.created_at).desc())
    ).all()
    checks = findings(session, [release.id for release in found])
    return AppReleases(
        ident=app.ident,
        name=app.name,
        is_listed=app.state is AppState.LISTED,
        is_withdrawn=app.state is AppState.HIDDEN and app.current_release_id is not None,
        releases=[
            ReleaseRow(
                id=str(release.id),
                version=release.version,
                channel=release.channel.value,
                state=release.state.value,
                created_at=release.created_at,
                verdict=release.verdict,
                checks=checks.get(release.id, []),
            )
            for release in found
        ],
        blocked_reason=app.blocked_reason,
    )


def release_of(session: Session, release_id: ReleaseId, developer_id: AccountId) -> Release:
    """One release this developer uploaded. Raises: NotYours."""
    release = session.get(Release, release_id)
    if release is None or release.publisher_id != developer_id:
        raise NotYours(_("You have no such release."))
    return release
