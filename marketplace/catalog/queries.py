"""Reads of the storefront."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from marketplace.accounts.models import Account
from marketplace.catalog import categories, permissions, search
from marketplace.catalog.models import (
    App,
    AppState,
    ListingText,
    Product,
    Release,
    ReleaseState,
)
from marketplace.catalog.pages import AppPage, DeveloperPage, Home, Shelf, Tile, Version
from marketplace.kernel.errors import NotFound
from marketplace.kernel.ids import AccountId, AppId
from marketplace.kernel.money import Money
from marketplace.kernel.paging import Page
from marketplace.web.i18n import gettext as _

PanelFor = Callable[[Session, App, Release | None], Any]

FEATURED = 6
NEW = 8
SIMILAR = 4
TILES_A_PAGE = 24
SVG = "image/svg+xml"


class AppNotFound(NotFound):
    """No app that this person may see has this ident."""


class NoSuchShelf(NotFound):
    """The store has no category of this key."""


class NoSuchDeveloper(NotFound):
    """No developer of a listed app has this id."""


def app_by_ident(session: Session, ident: str) -> App:
    """One listed app. Raises: AppNotFound."""
    app = session.exec(select(App).where(App.ident == ident)).first()
    if app is None or app.state is not AppState.LISTED:
        raise AppNotFound(_("There is no app “%(ident)s” in this store.", ident=ident))
    return app


def texts(session: Session, app_ids: Iterable[UUID], *, locale: str) -> dict[UUID, ListingText]:
    """The listing texts in one language, where there are any."""
    found = session.exec(
        select(ListingText).where(
            col(ListingText.app_id).in_(list(app_ids)), ListingText.locale == locale
        )
    ).all()
    return {text.app_id: text for text in found}


def names(session: Session, app_ids: Iterable[AppId], *, locale: str) -> dict[AppId, str]:
    """The apps' names in one language, English where there is no translation."""
    ids = list(app_ids)
    found = session.exec(select(App.id, App.name).where(col(App.id).in_(ids))).all()
    translated = texts(session, ids, locale=locale)
    return {
        AppId(app_id): translated[app_id].name if app_id in translated else name
        for app_id, name in found
    }


def app_and_name(session: Session, app_id: AppId, *, locale: str) -> tuple[App, str]:
    """One app, listed or not, and its name in one language."""
    app = session.get_one(App, app_id)
    return app, names(session, [app_id], locale=locale)[app_id]


def tiles(session: Session, apps: Sequence[App], *, locale: str) -> list[Tile]:
    """How these apps look in a list: three queries, however many they are."""
    ids = [app.id for app in apps]
    translated = texts(session, ids, locale=locale)
    owners = dict(
        session.exec(
            select(Account.id, Account.name).where(
                col(Account.id).in_({app.owner_id for app in apps})
            )
        ).all()
    )
    prices = _prices(session, ids)
    return [
        Tile(
            ident=app.ident,
            name=translated[app.id].name if app.id in translated else app.name,
            summary=translated[app.id].summary if app.id in translated else app.summary,
            developer=owners[app.owner_id],
            category=categories.name(app.category),
            price=prices.get(app.id),
        )
        for app in apps
    ]


def _prices(session: Session, app_ids: Sequence[UUID]) -> dict[UUID, Money]:
    """What it costs to run each app that is not free: the cheapest product that opens it."""
    needed = session.exec(
        select(Product)
        .where(col(Product.app_id).in_(app_ids), Product.unlocks == "app", col(Product.active))
        .order_by(col(Product.price_micros).desc())
    ).all()
    return {product.app_id: product.price for product in needed}


def home(session: Session, *, locale: str) -> Home:
    """The first page: what is run most, what is new, and the shelves."""
    listed = select(App).where(App.state == AppState.LISTED)
    featured = session.exec(
        listed.order_by(col(App.run_count).desc(), col(App.published_at)).limit(FEATURED)
    ).all()
    new = session.exec(listed.order_by(col(App.published_at).desc()).limit(NEW)).all()
    together = {app.id: app for app in (*featured, *new)}
    drawn = dict(zip(together, tiles(session, list(together.values()), locale=locale), strict=True))
    return Home(
        featured=[drawn[app.id] for app in featured],
        new=[drawn[app.id] for app in new],
        categories=categories.links(counts(session)),
    )


def counts(session: Session) -> dict[str, int]:
    """Category → how many listed apps."""
    return dict(
        session.exec(
            select(App.category, func.count())
            .where(App.state == AppState.LISTED)
            .group_by(App.category)
        ).all()
    )


def category(session: Session, key: str, *, number: int, locale: str) -> Shelf:
    """One shelf, most run first. Raises: NoSuchShelf."""
    if key not in categories.TABLE:
        raise NoSuchShelf(_("There is no category “%(key)s”.", key=key))
    on_shelf = select(App).where(App.state == AppState.LISTED, App.category == key)
    return _shelf(session, on_shelf, categories.name(key), key, number=number, locale=locale)


def everything(session: Session, *, number: int, locale: str) -> Shelf:
    """Every listed app, most run first."""
    listed = select(App).where(App.state == AppState.LISTED)
    return _shelf(session, listed, _("All apps"), "", number=number, locale=locale)


def _shelf(
    session: Session, wanted: SelectOfScalar[App], title: str, key: str, *, number: int, locale: str
) -> Shelf:
    total = session.exec(select(func.count()).select_from(wanted.subquery())).one()
    apps = session.exec(
        wanted.order_by(col(App.run_count).desc(), App.ident)
        .offset((number - 1) * TILES_A_PAGE)
        .limit(TILES_A_PAGE)
    ).all()
    return Shelf(
        title=title,
        query="",
        tiles=Page(tiles(session, apps, locale=locale), number, TILES_A_PAGE, total),
        categories=categories.links(counts(session)),
        category=key,
    )


def found(session: Session, query: str, *, locale: str) -> Shelf:
    """The results of a search, in the order the index gives them."""
    ids = search.find(session, query)
    apps = {
        app.id: app
        for app in session.exec(
            select(App).where(col(App.id).in_(ids), App.state == AppState.LISTED)
        ).all()
    }
    in_order = [apps[app_id] for app_id in ids if app_id in apps]
    return Shelf(
        title=_("Search"),
        query=query,
        tiles=Page(
            tiles(session, in_order, locale=locale), 1, max(1, len(in_order)), len(in_order)
        ),
        categories=categories.links(counts(session)),
        category="",
    )


def app_page(session: Session, ident: str, *, locale: str, panel_for: PanelFor) -> AppPage:
    """Everything an app's page shows. Raises: AppNotFound."""
    app = app_by_ident(session, ident)
    release = session.get(Release, app.current_release_id) if app.current_release_id else None
    manifest = release.manifest if release else {}
    text = texts(session, [app.id], locale=locale).get(app.id)
    section = manifest.get("app", {})
    similar = session.exec(
        select(App)
        .where(App.state == AppState.LISTED, App.category == app.category, App.id != app.id)
        .order_by(col(App.run_count).desc())
        .limit(SIMILAR)
    ).all()
    links = [
        (label, section[key])
        for key, label in (
            ("support", _("Support")),
            ("source", _("Source code")),
            ("privacy", _("Privacy")),
        )
        if section.get(key)
    ]
    return AppPage(
        app=app,
        name=text.name if text else app.name,
        summary=text.summary if text else app.summary,
        description=text.description if text else app.description,
        is_translated=text is not None or locale == "en",
        developer=session.get_one(Account, app.owner_id).name,
        developer_id=str(app.owner_id),
        category=categories.link(app.category),
        price=_prices(session, [app.id]).get(app.id),
        permissions=[
            permissions.asked(entry["name"], entry["reason"])
            for entry in manifest.get("permission", ())
        ],
        versions=_versions(session, app.id),
        licence=section.get("licence", ""),
        links=links,
        similar=tiles(session, similar, locale=locale),
        panel=panel_for(session, app, release),
    )


def _versions(session: Session, app_id: AppId) -> list[Version]:
    rows = session.exec(
        select(Release.version, Release.state_changed_at)
        .where(Release.app_id == app_id, Release.state == ReleaseState.PUBLISHED)
        .order_by(col(Release.state_changed_at).desc())
        .limit(20)
    ).all()
    return [Version(version, published_at) for version, published_at in rows]


def developer(session: Session, developer_id: AccountId, *, locale: str) -> DeveloperPage:
    """One developer's listed apps. Raises: NoSuchDeveloper."""
    account = session.get(Account, developer_id)
    apps = session.exec(
        select(App).where(App.owner_id == developer_id, App.state == AppState.LISTED)
    ).all()
    if account is None or not apps:
        raise NoSuchDeveloper(_("There is no developer at this address."))
    return DeveloperPage(account.name, tiles(session, apps, locale=locale))


def icon(session: Session, ident: str) -> tuple[str | None, str]:
    """An app's icon: its blob, or None where one must be drawn, and its media type."""
    found = session.exec(
        select(App.icon_key, App.icon_type).where(App.ident == ident, App.state == AppState.LISTED)
    ).first()
    key, kind = found or (None, None)
    return (key, kind) if key and kind else (None, SVG)
