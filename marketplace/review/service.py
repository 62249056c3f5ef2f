"""Human verdicts on releases that wait in the review queue."""

from datetime import datetime

from sqlmodel import Session

from marketplace.accounts.service import operators
from marketplace.catalog import service as catalog
from marketplace.catalog.models import Release
from marketplace.kernel.errors import Forbidden, Invalid, NotFound
from marketplace.kernel.ids import AccountId, ReleaseId
from marketplace.publishing import service as publishing
from marketplace.web.i18n import gettext as _

LONGEST_VERDICT = 2000


class ReleaseNotFound(NotFound):
    """No release has this id."""


class OwnRelease(Forbidden):
    """A reviewer may not decide on a release they published, where somebody else can."""


class NoReason(Invalid):
    """A rejection must tell the developer why."""


def approve(
    session: Session, release_id: ReleaseId, *, reviewer_id: AccountId, now: datetime
) -> Release:
    """Publish one release that is in review, on one reviewer's word.

    The only operator of a store may approve their own app: nobody else could, and they could
    open the store to themselves anyway. `decided_by` keeps the fact for those who look later.

    Returns: the release, PUBLISHED, in the caller's still uncommitted transaction.
    Raises: ReleaseNotFound, OwnRelease, or IllegalMove when it is not IN_REVIEW.
    """
    release = _locked(session, release_id)
    if release.publisher_id == reviewer_id and {*operators(session)} - {reviewer_id}:
        raise OwnRelease(_("Another operator must decide on your own release."))
    catalog.publish(session, release, now=now)
    release.decided_by = reviewer_id
    return release


def reject(
    session: Session, release_id: ReleaseId, *, reviewer_id: AccountId, reason: str, now: datetime
) -> Release:
    """Turn one release down and tell its developer why.

    Raises: ReleaseNotFound, NoReason, or IllegalMove when it is not IN_REVIEW.
    """
    words = reason.strip()
    if not words:
        message = _("Write what the developer must change.")
        raise NoReason(message, fields={"reason": message})
    release = _locked(session, release_id)
    publishing.turn_down(session, release, now=now)
    release.verdict, release.decided_by = words[:LONGEST_VERDICT], reviewer_id
    return release


def _locked(session: Session, release_id: ReleaseId) -> Release:
    # Two reviewers may press the button together: the row lock makes the second
    # one wait, then see PUBLISHED. SQLite ignores it; infra.db begins IMMEDIATE there.
    release = session.get(Release, release_id, with_for_update=True)
    if release is None:
        raise ReleaseNotFound(_("There is no such release."))
    return release
