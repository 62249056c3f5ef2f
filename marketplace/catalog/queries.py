"""Reads of the storefront: one app, one developer, and how apps look in lists."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, type_coerce
from sqlalchemy.orm import defer
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from marketplace.accounts.models import Account
from marketplace.catalog import categories, channels, permissions, wording
from marketplace.catalog.models import (
    App,
    AppState,
    Channel,
    Cost,
    ListingText,
    Release,
    ReleaseState,
)
from marketplace.catalog.pages import (
    AppPage,
    Beta,
    DeveloperPage,
    Ratings,
    Screenshot,
    Tile,
    Version,
)
from marketplace.kernel.errors import NotFound
from marketplace.kernel.ids import AccountId, AppId
from marketplace.web.i18n import gettext as _

PanelFor = Callable[[Session, App, Release | None], Any]
RatingsFor = Callable[[Session, App], Ratings]

# Rows of three, of two and of one are all full.
SIMILAR = 6
MOST_OF_A_DEVELOPER = 100
SVG = "image/svg+xml"


class AppNotFound(NotFound):
    """No app that this person may see has this ident."""


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


def offered() -> Select[App, str]:
    """Listed apps with their developers' names, to be narrowed and ordered."""
    return _with_developers().where(App.state == AppState.LISTED)


def filed(rows: Sequence[int], *, locale: str) -> Select[App, str, ListingText | None]:
    """The apps that search files under these numbers, with developers' names and texts.

    Only listed apps are filed. With a condition on the state as well, SQLite would go through
    every listed app instead of looking up these few.
    """
    is_text = (col(ListingText.app_id) == col(App.id)) & (ListingText.locale == locale)
    return (
        select(App, Account.name, ListingText)
        .join(Account, col(Account.id) == col(App.owner_id))
        .outerjoin(ListingText, is_text)
        .where(col(App.search_row).in_(rows))
        .options(defer(App.description))  # type: ignore[arg-type]  # SQLModel types it as str
    )


def those(app_ids: Collection[UUID]) -> Select[App, str]:
    """These apps, listed or not, with their developers' names."""
    return _with_developers().where(col(App.id).in_(app_ids))


def _with_developers() -> Select[App, str]:
    return (
        select(App, Account.name)
        .join(Account, col(Account.id) == col(App.owner_id))
        # No list shows the longest column.
        .options(defer(App.description))  # type: ignore[arg-type]  # SQLModel types it as str
    )


def listed(session: Session, wanted: Select[App, str], *, locale: str) -> list[Tile]:
    """How the wanted apps look in a list: two queries, however many they are."""
    return tiles(session, session.exec(wanted).all(), locale=locale)


def tiles(session: Session, found: Sequence[tuple[App, str]], *, locale: str) -> list[Tile]:
    """How apps with their developers' names look in a list."""
    translated = texts(session, [app.id for app, _owner in found], locale=locale)
    return [tile(app, owner, translated.get(app.id)) for app, owner in found]


def tile(app: App, developer: str, text: ListingText | None, *, why: str = "") -> Tile:
    """One app in a list, and why it stands there."""
    return Tile(
        ident=app.ident,
        name=text.name if text else app.name,
        summary=text.summary if text else app.summary,
        developer=developer,
        category=categories.name(app.category),
        price=app.price,
        rating=app.rating_total / app.rating_count if app.rating_count else None,
        rating_count=app.rating_count,
        why=why,
    )


def app_page(
    session: Session,
    ident: str,
    *,
    locale: str,
    panel_for: PanelFor,
    ratings_for: RatingsFor,
    person_id: AccountId | None = None,
) -> AppPage:
    """Everything an app's page shows to a person, or to somebody unknown. Raises: AppNotFound."""
    app, developer, current, text = _app_with_all(session, ident, locale=locale)
    beta = _beta(session, app, person_id)
    release = channels.release_for(session, app, person_id) if beta and beta.is_mine else current
    manifest = wording.manifest(release, locale=locale) if release else {}
    section = manifest.get("app", {})
    similar = (
        offered()
        .where(App.category == app.category, App.id != app.id)
        .order_by(col(App.score).desc())
        .limit(SIMILAR)
    )
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
        developer=developer,
        developer_id=str(app.owner_id),
        category=categories.link(app.category),
        price=app.price,
        permissions=[
            permissions.asked(entry["name"], entry["reason"])
            for entry in manifest.get("permission", ())
        ],
        versions=_versions(session, app.id),
        beta=beta,
        screenshots=_screenshots(current, locale),
        cost=_cost(session, current),
        licence=section.get("licence", ""),
        links=links,
        similar=listed(session, similar, locale=locale),
        ratings=ratings_for(session, app),
        panel=panel_for(session, app, release),
    )


def _app_with_all(
    session: Session, ident: str, *, locale: str
) -> tuple[App, str, Release | None, ListingText | None]:
    """A listed app with its developer's name, live release and text. Raises: AppNotFound."""
    is_text = (col(ListingText.app_id) == col(App.id)) & (ListingText.locale == locale)
    found = session.exec(
        select(App, Account.name, Release, ListingText)
        .join(Account, col(Account.id) == col(App.owner_id))
        .outerjoin(Release, col(Release.id) == col(App.current_release_id))
        .outerjoin(ListingText, is_text)
        .where(App.ident == ident, App.state == AppState.LISTED)
    ).first()
    if found is None:
        raise AppNotFound(_("There is no app “%(ident)s” in this store.", ident=ident))
    return found


def _beta(session: Session, app: App, person_id: AccountId | None) -> Beta | None:
    is_mine = channels.is_tester(session, app.id, person_id)
    release = session.get(Release, app.beta_release_id) if app.beta_release_id else None
    if release is None:
        return Beta(None, is_mine=True) if is_mine else None
    changes = release.manifest["app"].get("changes", "")
    return Beta(Version(release.version, release.state_changed_at, changes), is_mine=is_mine)


def _screenshots(release: Release | None, locale: str) -> list[Screenshot]:
    return [
        Screenshot(
            key=shot["key"],
            width=shot["width"],
            height=shot["height"],
            caption=shot["captions"].get(locale, shot["captions"]["en"]),
        )
        for shot in (release.screenshots if release else ())
    ]


def _cost(session: Session, release: Release | None) -> Cost | None:
    if release is None:
        return None
    return session.exec(
        select(Cost)
        .where(Cost.release_id == release.id)
        .order_by(col(Cost.measured_at).desc())
        .limit(1)
    ).first()


def screenshot(session: Session, ident: str, key: str) -> str:
    """The blob of one screenshot of a listed app. Raises: AppNotFound."""
    shots = session.exec(
        select(Release.screenshots)
        .join(App, col(App.current_release_id) == col(Release.id))
        .where(App.ident == ident, App.state == AppState.LISTED)
    ).first()
    if not any(shot["key"] == key for shot in shots or ()):
        raise AppNotFound(_("There is no such picture. The app's page shows those there are."))
    return key


def _versions(session: Session, app_id: AppId) -> list[Version]:
    changes = type_coerce(Release.manifest, JSON)[("app", "changes")].as_string()
    rows = session.exec(
        select(Release.version, Release.state_changed_at, changes)
        .where(
            Release.app_id == app_id,
            Release.state == ReleaseState.PUBLISHED,
            Release.channel == Channel.STABLE,
        )
        .order_by(col(Release.state_changed_at).desc())
        .limit(20)
    ).all()
    return [Version(version, published_at, words or "") for version, published_at, words in rows]


def developer(session: Session, developer_id: AccountId, *, locale: str) -> DeveloperPage:
    """One developer's listed apps. Raises: NoSuchDeveloper."""
    account = session.get(Account, developer_id)
    theirs = (
        offered()
        .where(App.owner_id == developer_id)
        .order_by(col(App.score).desc(), App.ident)
        .limit(MOST_OF_A_DEVELOPER)
    )
    found = listed(session, theirs, locale=locale)
    if account is None or not found:
        raise NoSuchDeveloper(_("There is no developer at this address."))
    return DeveloperPage(account.name, found)


def icon(session: Session, ident: str) -> tuple[str | None, str]:
    """An app's icon: its blob, or None where one must be drawn, and its media type."""
    found = session.exec(
        select(App.icon_key, App.icon_type).where(App.ident == ident, App.state == AppState.LISTED)
    ).first()
    key, kind = found or (None, None)
    return (key, kind) if key and kind else (None, SVG)
