"""Reads of the storefront: shelves, prices, texts in the reader's language."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session

from marketplace.catalog import first_page, queries, shelves
from marketplace.catalog.models import App, AppState, ListingText, Release, ReleaseState
from marketplace.catalog.pages import Filters
from marketplace.kernel.ids import AccountId, AppId, new_id
from marketplace.kernel.money import Money
from tests.factories.catalog import (
    NOON,
    make_app,
    make_listed,
    make_product,
    make_release,
    manifest_of,
)


def no_panel(_session: Session, _app: App, _release: Release | None) -> Any:
    return None


def no_ratings(_session: Session, _app: App) -> Any:
    return None


def translated(session: Session, app: App, locale: str = "ar") -> None:
    session.add(
        ListingText(
            app_id=app.id, locale=locale, name="صدى", summary="يعيد ما قلته.", description="نص."
        )
    )


@pytest.mark.parametrize("state", [AppState.HIDDEN, AppState.BLOCKED])
def test_an_app_that_is_not_listed_is_nowhere(session: Session, state: AppState) -> None:
    app = make_listed(session, name="Sesame")
    app.state = state
    for filters in (Filters(), Filters(category="fun"), Filters(price="free")):
        assert shelves.shelf(session, filters, number=1, locale="en").tiles.total == 0
    found = shelves.found(session, "sesame", Filters(), number=1, locale="en")
    assert list(found.tiles.items) == []
    home = first_page.home(session, locale="en", today=NOON.date())
    assert [list(home.used), list(home.new), list(home.categories)] == [[], [], []]
    with pytest.raises(queries.AppNotFound):
        queries.app_page(
            session, app.ident, locale="en", panel_for=no_panel, ratings_for=no_ratings
        )
    with pytest.raises(queries.NoSuchDeveloper):
        queries.developer(session, AccountId(app.owner_id), locale="en")


def test_texts_are_in_the_readers_language_or_in_english(session: Session) -> None:
    app = make_listed(session, name="Echo")
    translated(session, app)
    [tile] = shelves.shelf(session, Filters(), number=1, locale="ar").tiles.items
    assert (tile.name, tile.summary) == ("صدى", "يعيد ما قلته.")
    [tile] = shelves.shelf(session, Filters(), number=1, locale="fr").tiles.items
    assert tile.name == "Echo"
    page = queries.app_page(
        session, app.ident, locale="ar", panel_for=no_panel, ratings_for=no_ratings
    )
    assert (page.name, page.is_translated) == ("صدى", True)
    page = queries.app_page(
        session, app.ident, locale="fr", panel_for=no_panel, ratings_for=no_ratings
    )
    assert (page.name, page.is_translated) == ("Echo", False)
    assert queries.app_and_name(session, AppId(app.id), locale="ar")[1] == "صدى"


def test_names_come_for_all_that_are_asked_for(session: Session) -> None:
    first, second = make_app(session, name="First"), make_app(session, name="Second")
    translated(session, second)
    ids = [AppId(first.id), AppId(second.id), AppId(new_id())]
    assert queries.names(session, ids, locale="ar") == {first.id: "First", second.id: "صدى"}
    assert queries.names(session, [], locale="ar") == {}


def test_the_price_is_the_least_that_opens_the_app(session: Session) -> None:
    app = make_listed(session)
    make_product(session, app, key="dear", price_micros=9_000_000)
    make_product(session, app, key="cheap", price_micros=3_000_000)
    make_product(session, app, key="gone", price_micros=1_000_000, active=False)
    make_product(session, app, key="extra", price_micros=500_000, unlocks="feature")
    [tile] = shelves.shelf(session, Filters(), number=1, locale="en").tiles.items
    assert tile.price == Money(3_000_000, "USD")


def test_an_app_page_says_what_the_release_asks_for(session: Session) -> None:
    app = make_app(session)
    wishes = [{"name": "llm.generate", "reason": "Writes."}, {"name": "x.new", "reason": "New."}]
    release = make_release(session, app=app, version="1.1.0", state=ReleaseState.PUBLISHED)
    release.manifest = manifest_of(
        app.ident,
        "1.1.0",
        app={"support": "mailto:help@example.org", "licence": "MIT"},
        permission=wishes,
    )
    make_release(
        session,
        app=app,
        version="1.0.0",
        state=ReleaseState.PUBLISHED,
        state_changed_at=NOON - timedelta(days=1),
    )
    make_release(session, app=app, version="2.0.0", state=ReleaseState.REJECTED)
    app.current_release_id = release.id
    given: list[tuple[App, Release | None]] = []

    def panel(_session: Session, shown: App, current: Release | None) -> str:
        given.append((shown, current))
        return "the panel"

    page = queries.app_page(
        session, app.ident, locale="en", panel_for=panel, ratings_for=no_ratings
    )
    assert (page.panel, given) == ("the panel", [(app, release)])
    assert [version.version for version in page.versions] == ["1.1.0", "1.0.0"]
    assert (page.licence, list(page.links)) == ("MIT", [("Support", "mailto:help@example.org")])
    known, unknown = page.permissions
    assert (known.title, known.reason, known.level) == (
        "Uses the store's language model.",
        "Writes.",
        "low",
    )
    assert (unknown.title, unknown.icon, unknown.level) == ("x.new", "lock", "high")


def test_similar_apps_stand_on_the_same_shelf(session: Session) -> None:
    app, beside = make_listed(session), make_listed(session, score=3.0)
    make_listed(session, category="writing")
    page = queries.app_page(
        session, app.ident, locale="en", panel_for=no_panel, ratings_for=no_ratings
    )
    assert [tile.ident for tile in page.similar] == [beside.ident]
