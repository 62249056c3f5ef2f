"""Changes of the storefront: a release becomes what people see, buy and run."""

from datetime import datetime
from typing import Any

from caravan.manifest import Manifest, ProductSection
from sqlalchemy import case, update
from sqlmodel import Session, col, delete, select

from marketplace.catalog import channels, meanings, ranking, search
from marketplace.catalog.models import (
    App,
    AppState,
    Channel,
    ListingText,
    Product,
    Release,
    ReleaseState,
    Use,
)
from marketplace.inference.jobs import FORGET_RELEASE
from marketplace.infra.db import inserting
from marketplace.infra.jobs import enqueue
from marketplace.kernel.errors import Conflict
from marketplace.kernel.ids import AccountId, AppId, ReleaseId
from marketplace.web.i18n import gettext as _

ICON_TYPES = {"svg": "image/svg+xml", "png": "image/png"}


class NotListed(Conflict):
    """The app is not where it would have to be for this."""


def publish(session: Session, release: Release, *, now: datetime) -> App:
    """Put one reviewed release into the store: texts, products, icon and search at once.

    An app that an operator has blocked stays blocked. A release below the present one is
    published as history and changes nothing that people see. One of the beta channel is there for
    those who asked for it, and leaves what everybody sees as it is.

    Raises: IllegalMove when the release is not in review.
    """
    release.move_to(ReleaseState.PUBLISHED, now=now)
    app = session.get_one(App, release.app_id, with_for_update=True)
    present = _release(session, app.current_release_id)
    if not channels.is_newer(release, present):
        return app
    beta = _release(session, app.beta_release_id)
    if release.channel is Channel.BETA:
        if channels.is_newer(release, beta):
            app.beta_release_id = release.id
            if beta is not None:
                _let_go(session, app, beta)
        return app
    _show(session, app, release, now=now)
    if present is not None:
        _let_go(session, app, present)
    if beta is not None and channels.is_newer(release, beta):
        app.beta_release_id = None
        _let_go(session, app, beta)
    return app


def make_stable(session: Session, release: Release, *, now: datetime) -> None:
    """Give everybody a published beta release as it is, unless a newer one is stable by now."""
    release.channel = Channel.STABLE
    app = session.get_one(App, release.app_id, with_for_update=True)
    present = _release(session, app.current_release_id)
    if app.beta_release_id == release.id:
        app.beta_release_id = None
    if channels.is_newer(release, present):
        _show(session, app, release, now=now)
        if present is not None:
            _let_go(session, app, present)


def _release(session: Session, release_id: ReleaseId | None) -> Release | None:
    return session.get(Release, release_id) if release_id else None


def _show(session: Session, app: App, release: Release, *, now: datetime) -> None:
    """Let people see, buy and run a release: it is the app from now on."""
    manifest = Manifest.model_validate(release.manifest)
    _describe(app, manifest)
    app.icon_key = release.icon_key
    app.icon_type = ICON_TYPES[manifest.app.icon.rpartition(".")[2]]
    app.current_release_id = release.id
    app.published_at = app.published_at or now
    if app.state is AppState.HIDDEN:
        app.state = AppState.LISTED
    app.score = ranking.prior(app.people_count, app.rating_score)
    _put_products(session, app.id, manifest.product)
    settle_price(session, app)
    _put_texts(session, app.id, release)
    search.index(session, app)
    meanings.forget(session, app.id)


def _let_go(session: Session, app: App, release: Release) -> None:
    """Have the engine drop what it keeps computed of a release that nobody starts any more."""
    enqueue(session, FORGET_RELEASE, release=f"{app.ident}@{release.version}")


def _describe(app: App, manifest: Manifest) -> None:
    section = manifest.app
    app.name, app.summary, app.description = section.name, section.summary, section.description
    app.category, app.age = section.categories[0], section.age


def _put_products(session: Session, app_id: AppId, sections: list[ProductSection]) -> None:
    """What is no longer offered is kept for those who bought it, but not sold again."""
    known = {
        product.key: product
        for product in session.exec(select(Product).where(Product.app_id == app_id)).all()
    }
    for product in known.values():
        product.active = False
    for section in sections:
        values: dict[str, Any] = {
            "kind": section.kind,
            "name": section.name,
            "price_micros": section.price_micros,
            "currency": section.currency,
            "unlocks": section.unlocks,
            "active": True,
        }
        offered = known.get(section.id)
        if offered is None:
            session.add(Product(app_id=app_id, key=section.id, **values))
        else:
            offered.sqlmodel_update(values)


def _put_texts(session: Session, app_id: AppId, release: Release) -> None:
    session.exec(delete(ListingText).where(col(ListingText.app_id) == app_id))
    for locale, texts in release.listings.items():
        shown = {key: texts[key] for key in ("name", "summary", "description")}
        session.add(ListingText(app_id=app_id, locale=locale, **shown))


def settle_price(session: Session, app: App) -> None:
    """Put the price of the cheapest product that opens an app where lists read it."""
    session.flush()  # the products must be in the transaction to be read back
    cheapest = session.exec(
        select(Product)
        .where(Product.app_id == app.id, Product.unlocks == "app", col(Product.active))
        .order_by(col(Product.price_micros))
        .limit(1)
    ).first()
    app.price_micros = cheapest.price_micros if cheapest else None
    app.currency = cheapest.currency if cheapest else None


def take_down(session: Session, app: App, *, reason: str) -> None:
    """Take an app out of the store: nobody finds, buys or starts it until it is put back.

    What people bought and ran stays in their records.
    """
    app.state, app.blocked_reason = AppState.BLOCKED, reason
    _leave(session, app)


def withdraw(session: Session, app: App) -> None:
    """Take an app out of the store on its developer's word, until they put it back or publish.

    Raises: NotListed.
    """
    if app.state is not AppState.LISTED:
        raise NotListed(_("This app is not in the store. Reload the page to see how it stands."))
    app.state = AppState.HIDDEN
    _leave(session, app)


def _leave(session: Session, app: App) -> None:
    for release_id in (app.current_release_id, app.beta_release_id):
        if release := _release(session, release_id):
            _let_go(session, app, release)
    search.index(session, app)


def list_again(session: Session, app: App) -> None:
    """Undo `withdraw`. Raises: NotListed, for an app that an operator took down or never was in."""
    if app.state is not AppState.HIDDEN or app.current_release_id is None:
        raise NotListed(
            _("This app cannot be put back. Publish a version of it, or ask the store.")
        )
    app.state = AppState.LISTED
    search.index(session, app)


def put_back(session: Session, app: App) -> None:
    """Undo `take_down`; an app without a published release waits for one as before."""
    app.state = AppState.LISTED if app.current_release_id else AppState.HIDDEN
    app.blocked_reason = ""
    search.index(session, app)


def count_run(session: Session, app_id: AppId, person_id: AccountId, *, now: datetime) -> None:
    """Count one run that a person finished at `now`; the store's order follows people.

    The developer's own runs count as runs, but make nobody a person who uses the app.
    """
    day = now.date()
    is_known = select(Use.app_id).where(Use.app_id == app_id, Use.person_id == person_id).exists()
    is_foreign = col(App.owner_id) != person_id
    # This row's lock makes a second run of the same person wait until the first has its use.
    session.exec(
        update(App)
        .where(col(App.id) == app_id)
        .values(
            run_count=col(App.run_count) + 1,
            people_count=col(App.people_count) + case((is_foreign & ~is_known, 1), else_=0),
        )
    )
    if session.exec(select(App.owner_id).where(App.id == app_id)).one() == person_id:
        return
    counted = inserting(session, Use).values(app_id=app_id, person_id=person_id, day=day, times=1)
    session.exec(
        counted.on_conflict_do_update(
            index_elements=["app_id", "person_id", "day"], set_={"times": col(Use.times) + 1}
        )
    )
