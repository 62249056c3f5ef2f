"""Reads of the reviewers' desk."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from marketplace.accounts import queries as accounts
from marketplace.accounts.models import Account
from marketplace.catalog import permissions
from marketplace.catalog.models import App, Release, ReleaseState
from marketplace.infra.blobs import Blobs
from marketplace.kernel.ids import AccountId, ReleaseId
from marketplace.publishing import bundles
from marketplace.review.models import CheckResult
from marketplace.review.pages import ReleasePage, SourceFile, Waiting
from marketplace.review.service import ReleaseNotFound
from marketplace.web.i18n import gettext as _

LONGEST_SHOWN_BYTES = 200_000
# Comparing takes time that grows with the square of the lines, and a page is waited for.
MOST_COMPARED_LINES = 2_000


def findings(
    session: Session, release_ids: Sequence[ReleaseId]
) -> Mapping[ReleaseId, list[dict[str, Any]]]:
    """What the checks found, by release, in the order of the checks."""
    rows = session.exec(
        select(CheckResult)
        .where(col(CheckResult.release_id).in_(release_ids))
        .order_by(col(CheckResult.position))
    ).all()
    found: dict[ReleaseId, list[dict[str, Any]]] = {}
    for row in rows:
        shown = row.model_dump(include={"rule", "level", "message", "file", "line", "fix"})
        found.setdefault(ReleaseId(row.release_id), []).append(shown)
    return found


def waiting(session: Session) -> list[Waiting]:
    """The releases that wait for a person, oldest first."""
    rows = session.exec(
        select(Release, App)
        .join(App, col(App.id) == col(Release.app_id))
        .where(Release.state == ReleaseState.IN_REVIEW)
        .order_by(col(Release.created_at))
    ).all()
    names = accounts.names(session, {AccountId(app.owner_id) for _release, app in rows})
    warnings = dict(
        session.exec(
            select(CheckResult.release_id, func.count())
            .where(
                col(CheckResult.release_id).in_([release.id for release, _app in rows]),
                CheckResult.level == "warning",
            )
            .group_by(col(CheckResult.release_id))
        ).all()
    )
    return [
        Waiting(
            id=str(release.id),
            ident=app.ident,
            name=release.manifest["app"]["name"],
            version=release.version,
            developer=names[app.owner_id],
            created_at=release.created_at,
            warnings=warnings.get(release.id, 0),
            is_new_app=app.current_release_id is None,
        )
        for release, app in rows
    ]


def release_page(
    session: Session, release_id: ReleaseId, *, blobs: Blobs, reviewer_id: AccountId
) -> ReleasePage:
    """One release with its sources, compared with the live one. Raises: ReleaseNotFound."""
    release = session.get(Release, release_id)
    if release is None:
        raise ReleaseNotFound(_("There is no such release."))
    app = session.get_one(App, release.app_id)
    live = session.get(Release, app.current_release_id) if app.current_release_id else None
    before = bundles.opened(blobs.get(live.bundle_key)).files if live else {}
    manifest = release.manifest
    return ReleasePage(
        id=str(release.id),
        ident=app.ident,
        name=manifest["app"]["name"],
        summary=manifest["app"]["summary"],
        version=release.version,
        live_version=live.version if live else "",
        state=release.state.value,
        developer=session.get_one(Account, app.owner_id).name,
        is_own=release.publisher_id == reviewer_id,
        created_at=release.created_at,
        permissions=[
            permissions.asked(entry["name"], entry["reason"]) for entry in manifest["permission"]
        ],
        prices=[f"{p['name']}: {p['price']} {p['currency']}" for p in manifest["product"]],
        checks=findings(session, [release.id]).get(release.id, []),
        files=_files(release, blobs, before),
        verdict=release.verdict,
    )


def _files(release: Release, blobs: Blobs, before: Mapping[str, bytes]) -> list[SourceFile]:
    if release.state is ReleaseState.REJECTED:
        return []  # its bundle is deleted
    bundle = bundles.opened(blobs.get(release.bundle_key))
    shown, left = [], MOST_COMPARED_LINES
    for path, data in sorted(bundle.files.items()):
        text, change = _text(data), "new"
        if path in before:
            change = "same" if before[path] == data else "changed"
        if change == "changed" and text is not None and (old := _text(before[path])) is not None:
            left -= (lines := len(old.splitlines()) + len(text.splitlines()))
            if left >= 0:
                text = _difference(old, text)
            else:
                left, change = left + lines, "long"
        shown.append(SourceFile(path, len(data), text, change))
    gone = sorted(before.keys() - bundle.files.keys())
    return shown + [SourceFile(path, 0, _text(before[path]), "removed") for path in gone]


def _difference(old: str, new: str) -> str:
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), _("published"), _("uploaded"), lineterm="", n=5
    )
    return "\n".join(lines)


def _text(data: bytes) -> str | None:
    if len(data) > LONGEST_SHOWN_BYTES:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
