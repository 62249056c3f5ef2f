"""Uploads become releases, and approved releases become what the store shows."""

from dataclasses import dataclass
from datetime import datetime

from caravan.bundle import Bundle
from sqlmodel import Session, select

from marketplace.accounts.service import HOUSE_ID
from marketplace.catalog import search
from marketplace.catalog.models import (
    App,
    AppState,
    ListingText,
    Product,
    Release,
    ReleaseState,
)
from marketplace.infra import jobs
from marketplace.infra.blobs import Blobs
from marketplace.kernel.errors import Conflict, Forbidden
from marketplace.kernel.ids import AccountId, AppId
from marketplace.publishing import bundles
from marketplace.web.i18n import gettext as _

HOUSE_PREFIX = "caravan."
ICON_TYPES = {"svg": "image/svg+xml", "png": "image/png"}


class ReservedIdent(Forbidden):
    """The ident belongs to the store itself."""


class NotYourApp(Forbidden):
    """Somebody else published this ident first."""


class DuplicateVersion(Conflict):
    """This version was uploaded before; a version never changes."""


class OldVersion(Conflict):
    """A newer version was uploaded before."""


@dataclass(frozen=True)
class Publisher:
    """Who uploads."""

    id: AccountId
    is_operator: bool


def submit(
    session: Session, publisher: Publisher, data: bytes, *, blobs: Blobs, now: datetime
) -> Release:
    """Take one upload: a new release that waits for its checks.

    Args:
        data: the bundle as it came.
    Returns: the release, CHECKING, in the caller's still uncommitted transaction.
    Raises: BadBundle, HugeBundle, ReservedIdent, NotYourApp, DuplicateVersion, OldVersion.
    Effects: a blob, and the job `review.check_release`.
    """
    bundle = bundles.opened(data)
    app = _app_for(session, publisher, bundle, now=now)
    _check_version(session, app, bundle.manifest.app.version)
    release = Release(
        app_id=app.id,
        publisher_id=publisher.id,
        version=bundle.manifest.app.version,
        manifest=bundle.manifest.model_dump(mode="json"),
        bundle_key=blobs.put(data),
        bundle_bytes=len(data),
        state_changed_at=now,
        created_at=now,
    )
    session.add(release)
    jobs.enqueue(session, "review.check_release", release_id=str(release.id))
    return release


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
    if section.id.startswith(HOUSE_PREFIX) and publisher.id != HOUSE_ID:
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
    session.flush()  # the release points at the app, which must be in the database first
    return app


def _check_version(session: Session, app: App, version: str) -> None:
    known = session.exec(select(Release.version).where(Release.app_id == app.id)).all()
    if version in known:
        raise DuplicateVersion(
            _(
                "Version %(version)s of “%(ident)s” is here already, and a version never "
                "changes. Raise the version in caravan.toml and publish again.",
                version=version,
                ident=app.ident,
            ),
            rule="release.duplicate-version",
        )
    newest = max(known, key=parts, default=None)
    if newest is not None and parts(version) < parts(newest):
        raise OldVersion(
            _(
                "Version %(newest)s is here already; %(version)s must be higher than it.",
                newest=newest,
                version=version,
            ),
            rule="release.old-version",
        )


def parts(version: str) -> tuple[int, ...]:
    """A version as numbers that compare: 1.10.0 is above 1.9.0."""
    return tuple(int(part) for part in version.split("."))


def publish(session: Session, release: Release, *, blobs: Blobs, now: datetime) -> None:
    """Make an approved release what the store shows: texts, icon, products, search.

    Effects: the app's row, its texts and products, the search index; all in this transaction.
    """
    release.move_to(ReleaseState.PUBLISHED, now=now)
    bundle = bundles.opened(blobs.get(release.bundle_key))
    app = session.get_one(App, release.app_id, with_for_update=True)
    section = bundle.manifest.app
    app.name, app.summary, app.description = section.name, section.summary, section.description
    app.category, app.age = section.categories[0], section.age
    app.current_release_id = release.id
    app.published_at = app.published_at or now
    if app.state is AppState.HIDDEN:
        app.state = AppState.LISTED
    if bundle.icon is not None:
        app.icon_key = blobs.put(bundle.icon)
        app.icon_type = ICON_TYPES[section.icon.rpartition(".")[2]]
    _replace_texts(session, app.id, bundle)
    _renew_products(session, app.id, bundle)
    search.index(session, app)


def _replace_texts(session: Session, app_id: AppId, bundle: Bundle) -> None:
    for text in session.exec(select(ListingText).where(ListingText.app_id == app_id)).all():
        session.delete(text)
    session.flush()  # the old rows must be gone before rows of the same language come
    for locale, listing in bundle.listings.items():
        session.add(ListingText(app_id=app_id, locale=locale, **listing.model_dump()))


def _renew_products(session: Session, app_id: AppId, bundle: Bundle) -> None:
    # A product is never deleted: orders point at it. One that is no longer sold is inactive.
    known = {
        product.key: product
        for product in session.exec(select(Product).where(Product.app_id == app_id)).all()
    }
    for product in known.values():
        product.active = False
    for wanted in bundle.manifest.product:
        product = known.get(wanted.id) or Product(
            app_id=app_id, key=wanted.id, name=wanted.name, price_micros=1, currency="USD"
        )
        product.name, product.kind, product.unlocks = wanted.name, wanted.kind, wanted.unlocks
        product.price_micros, product.currency = wanted.price_micros, wanted.currency
        product.active = True
        session.add(product)
