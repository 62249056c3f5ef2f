"""Uploads become releases that wait for their checks."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from caravan.bundle import Bundle
from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from marketplace.catalog import service as catalog
from marketplace.catalog.models import App, Channel, Release, ReleaseState, number_of
from marketplace.infra import jobs
from marketplace.infra.blobs import Blobs
from marketplace.kernel.errors import Conflict, Forbidden, Limited
from marketplace.kernel.ids import AccountId
from marketplace.publishing import bundles
from marketplace.publishing.jobs import FORGET_BUNDLE
from marketplace.web.i18n import gettext as _

HOUSE_PREFIX = "caravan."
MOST_WAITING = 20
RETRY_S = 3600
DAY = timedelta(days=1)


class ReservedIdent(Forbidden):
    """Only those who run the store may publish under this beginning."""


class NotYourApp(Forbidden):
    """Somebody else published this ident first."""


class DuplicateVersion(Conflict):
    """This version was uploaded before; a version never changes."""


class OldVersion(Conflict):
    """A newer version was uploaded before."""


class NothingStable(Conflict):
    """A beta version came before any stable one."""


class TakenMeanwhile(Conflict):
    """Two people published the same ident in the same moment; the other one was first."""


class TooManyWaiting(Limited):
    """The publisher's releases that wait are as many as one publisher may have waiting."""


class TooManyUploads(Limited):
    """The publisher uploaded as many releases as one publisher may in a day."""


@dataclass(frozen=True)
class Publisher:
    """Who uploads.

    Args:
        uploads_a_day: how many releases they may upload in 24 hours; None: any number.
    """

    id: AccountId
    is_operator: bool
    uploads_a_day: int | None = None


def submit(
    session: Session,
    publisher: Publisher,
    data: bytes,
    *,
    channel: Channel = Channel.STABLE,
    blobs: Blobs,
    now: datetime,
) -> Release:
    """Take one upload: a new release that waits for its checks.

    The bundle of a published beta release, handed in again as stable, becomes stable as it is.

    Args:
        data: the bundle as it came.
        channel: who gets it once it is published.
    Returns: the release, CHECKING or that beta one, in the caller's still uncommitted transaction.
    Raises: BadBundle, HugeBundle, TooManyWaiting, TooManyUploads, ReservedIdent, NotYourApp,
        TakenMeanwhile, DuplicateVersion, OldVersion, NothingStable.
    Effects: two blobs, and the job `review.check_release`; nothing at all when it is refused.
    """
    bundle = bundles.opened(data)
    _check_room(session, publisher)
    _check_day(session, publisher, now=now)
    app = _app_for(session, publisher, bundle, now=now)
    if channel is Channel.BETA:
        if app.current_release_id is None:
            raise NothingStable(
                _(
                    "Publish a stable version first: people ask for beta versions on the app's "
                    "page, which it does not have yet."
                ),
                rule="release.nothing-stable",
            )
    elif beta := _published_beta(session, app, bundle):
        catalog.make_stable(session, beta, now=now)
        return beta
    _check_version(session, app, bundle.manifest.app.version, channel)
    release = Release(
        app_id=app.id,
        publisher_id=publisher.id,
        version=bundle.manifest.app.version,
        channel=channel,
        manifest=bundle.manifest.model_dump(mode="json"),
        listings={locale: texts.model_dump() for locale, texts in bundle.listings.items()},
        icon_key=blobs.put(bundle.icon) if bundle.icon is not None else None,
        bundle_key=blobs.put(data),
        bundle_bytes=len(data),
        state_changed_at=now,
        created_at=now,
    )
    session.add(release)
    jobs.enqueue(session, "review.check_release", release_id=str(release.id))
    return release


def turn_down(session: Session, release: Release, *, now: datetime) -> None:
    """Refuse a release. Effects: the job that deletes its bundle, which nobody asks for again."""
    release.move_to(ReleaseState.REJECTED, now=now)
    jobs.enqueue(session, FORGET_BUNDLE, release_id=str(release.id))


def _app_for(session: Session, publisher: Publisher, bundle: Bundle, *, now: datetime) -> App:
    section = bundle.manifest.app
    app = session.exec(select(App).where(App.ident == section.id).with_for_update()).first()
    if app is not None:
        if app.owner_id != publisher.id:
            raise NotYourApp(
                _("“%(ident)s” belongs to another developer. Choose another id.", ident=app.ident),
                rule="app.not-yours",
            )
        return app
    if section.id.startswith(HOUSE_PREFIX) and not publisher.is_operator:
        raise ReservedIdent(
            _("Ids that begin with “caravan.” are the store's own. Choose another beginning."),
            rule="app.reserved-id",
        )
    app = App(
        ident=section.id,
        owner_id=publisher.id,
        name=section.name,
        summary=section.summary,
        category=section.categories[0],
        age=section.age,
        created_at=now,
    )
    session.add(app)
    try:
        session.flush()  # the release points at the app, which must be in the database first
    except IntegrityError:
        raise TakenMeanwhile(
            _("Somebody published “%(ident)s” at this very moment. Try again.", ident=section.id),
            rule="app.taken-meanwhile",
        ) from None
    return app


def _check_room(session: Session, publisher: Publisher) -> None:
    waiting = session.exec(
        select(func.count())
        .select_from(Release)
        .where(
            Release.publisher_id == publisher.id,
            col(Release.state).in_([ReleaseState.CHECKING, ReleaseState.IN_REVIEW]),
        )
    ).one()
    if waiting >= MOST_WAITING:
        raise TooManyWaiting(
            _("%(n)s of your releases wait already. Come back when some are decided.", n=waiting),
            retry_after_s=RETRY_S,
            rule="release.too-many-waiting",
        )


def _check_day(session: Session, publisher: Publisher, *, now: datetime) -> None:
    # Each upload is compiled and imported, which may take the checks minutes that others wait.
    most = publisher.uploads_a_day
    if most is None:
        return
    newest = session.exec(
        select(Release.created_at)
        .where(Release.publisher_id == publisher.id, col(Release.created_at) > now - DAY)
        .order_by(col(Release.created_at).desc())
        .limit(most)
    ).all()
    if len(newest) == most:
        raise TooManyUploads(
            _(
                "You uploaded %(n)s releases in the last 24 hours, as many as one developer may. "
                "Try your next one with `caravan check` meanwhile, and publish it later.",
                n=most,
            ),
            retry_after_s=math.ceil((newest[-1] + DAY - now).total_seconds()),
            rule="release.too-many-uploads",
        )


def _published_beta(session: Session, app: App, bundle: Bundle) -> Release | None:
    """The beta release that is this very bundle."""
    return session.exec(
        select(Release).where(
            Release.app_id == app.id,
            Release.version == bundle.manifest.app.version,
            Release.bundle_key == bundle.sha256,
            Release.channel == Channel.BETA,
            Release.state == ReleaseState.PUBLISHED,
        )
    ).first()


def _check_version(session: Session, app: App, version: str, channel: Channel) -> None:
    known = session.exec(
        select(Release.version, Release.state, Release.channel).where(Release.app_id == app.id)
    ).all()
    if any(version == other for other, _state, _channel in known):
        raise DuplicateVersion(
            _(
                "Version %(version)s of “%(ident)s” is here already, and a version never "
                "changes. Raise the version in caravan.toml and publish again.",
                version=version,
                ident=app.ident,
            ),
            rule="release.duplicate-version",
        )
    # One that was turned down is in nobody's way, however high its number was; nor is a beta one
    # in the way of a stable version that mends something meanwhile.
    standing = [
        other
        for other, state, where in known
        if state is not ReleaseState.REJECTED and (where is Channel.STABLE or where is channel)
    ]
    newest = max(standing, key=number_of, default=None)
    if newest is not None and number_of(version) < number_of(newest):
        raise OldVersion(
            _(
                "Version %(newest)s is here already; %(version)s must be higher than it.",
                newest=newest,
                version=version,
            ),
            rule="release.old-version",
        )
