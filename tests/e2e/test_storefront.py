"""The storefront in a browser: answers while one types, and a store that cannot be reached."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from sqlmodel import Session
from werkzeug.serving import BaseWSGIServer, make_server

from marketplace.catalog import views, views_collections, views_feeds, views_ratings
from marketplace.catalog.models import App, ListingText, Release
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.kernel.ids import AccountId, AppId
from marketplace.runs.pages import Panel
from tests.factories.catalog import make_listed
from tests.factories.pages import make_store

pytestmark = [
    pytest.mark.e2e,
    # A server that is closed drops what it is just sending.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
    ),
]
ROUNDS = 2
KEPT = "caches.match('/offline', {ignoreSearch: true})"
UNREACHABLE = {"en": "The store cannot be reached", "ar": "لا يمكن الوصول إلى المتجر"}


def panel_for(_session: Session, app: App, _release: Release | None) -> Panel:
    return Panel(app=app, actions=[], chosen="", is_signed_in=False)


def has_bought(_session: Session, _person_id: AccountId, _app_id: AppId) -> bool:
    return False


@pytest.fixture
def server(empty_database: Database, tmp_path: Path) -> Iterator[BaseWSGIServer]:
    """The storefront's pages over three apps, in this process: it can be closed like a door."""
    with empty_database.writing() as session:
        for name, arabic in (("Oud", "عود"), ("Ney", "ناي"), ("Oud Tuner", "دوزان العود")):
            app = make_listed(session, ident=f"tests.{name.lower().replace(' ', '-')}", name=name)
            session.add(ListingText(app_id=app.id, locale="ar", name=arabic, summary="يعزف."))
            session.flush()
    store = make_store(
        empty_database,
        views.blueprint(Blobs(tmp_path), panel_for, has_bought),
        views_ratings.blueprint(has_bought),
        views_collections.bp,
        views_feeds.bp,
        publishing__portal="/portal/",
        runs__start="/apps/<ident>/runs",
        billing__checkout="/checkout/<product_id>",
    )
    served = make_server("127.0.0.1", 0, store, threaded=True)
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.fixture(params=["en", "ar"])
def visitor(
    request: pytest.FixtureRequest, browser: Browser, server: BaseWSGIServer
) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}", locale=request.param)
    context.set_default_timeout(60_000)
    yield context
    context.close()


def watched(context: BrowserContext) -> tuple[Page, list[str]]:
    """A tab, and what its scripts have failed with so far."""
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    return page, wrong


def test_the_search_field_lists_apps_that_the_keyboard_opens(visitor: BrowserContext) -> None:
    page, wrong = watched(visitor)
    page.goto("/")
    field, options = page.locator("[name=q]"), page.locator(".suggestions [role=option]")
    field.press_sequentially("oud")
    expect(options).to_have_count(2)
    # The answer to all of it: before, “ou” is answered with the same two in another order.
    expect(options.first).to_have_attribute("data-href", "/apps/tests.oud")
    expect(field).to_have_attribute("aria-expanded", "true")
    field.press("ArrowUp")
    field.press("ArrowDown")
    chosen = page.locator(".suggestions [aria-selected=true]")
    expect(chosen).to_have_attribute("data-href", "/apps/tests.oud")
    expect(field).to_have_attribute("aria-activedescendant", "suggestion-1")
    field.press("Escape")
    expect(page.locator(".suggestions")).to_be_hidden()
    field.press_sequentially(" tu")
    expect(options).to_have_count(1)
    field.press("ArrowDown")
    field.press("Enter")
    page.wait_for_url("**/apps/tests.oud-tuner")
    assert wrong == []


def test_what_was_typed_before_the_script_came_is_answered_too(visitor: BrowserContext) -> None:
    page, wrong = watched(visitor)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/search_controller.js", hold)
    with page.expect_request("**/search_controller.js"):
        page.goto("/")
    page.locator("[name=q]").press_sequentially("oud")
    held.pop().continue_()
    expect(page.locator(".suggestions [role=option]")).to_have_count(2)
    assert wrong == []


@pytest.mark.timeout(300)  # some twenty pages, on a machine that may be busy
def test_a_store_that_cannot_be_reached_says_so_and_cuts_no_change_between_pages_short(
    visitor: BrowserContext, server: BaseWSGIServer, shots: Path
) -> None:
    page, wrong = watched(visitor)
    page.goto("/")
    page.wait_for_function(KEPT)
    for _round in range(ROUNDS):
        page.goto("/")
        page.locator("a[href='/apps/tests.oud']").first.click()
        page.wait_for_url("**/apps/tests.oud")
        page.goto("/search?q=oud")
        page.go_back()
        page.go_forward()
        page.locator("a.wordmark").first.click()
        page.wait_for_url(f"http://127.0.0.1:{server.port}/")
    assert page.evaluate("navigator.serviceWorker.controller !== null")
    assert wrong == []
    language = str(page.locator("html").get_attribute("lang"))
    server.shutdown()
    server.server_close()
    page.goto("/apps/tests.oud")
    expect(page.get_by_role("heading", name=UNREACHABLE[language])).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.empty-state')).display") == (
        "grid"
    ), "the page that is kept has its look"
    page.screenshot(path=shots / f"offline-{language}.png")


@pytest.mark.timeout(300)
def test_the_language_changes_at_once_even_where_a_page_leads_elsewhere(
    visitor: BrowserContext,
) -> None:
    page, wrong = watched(visitor)
    page.set_default_timeout(10_000)
    page.goto("/")
    page.wait_for_function(KEPT)
    for _round in range(10):
        for language in ("ar", "en", "ar"):
            page.goto(f"/reviews/waiting?lang={language}")
            assert "/accounts/sign-in" in page.url
            page.goto(f"/?lang={language}")
            assert page.locator("html").get_attribute("lang") == language
    page.wait_for_function("caches.match('/offline?lang=ar')")
    assert wrong == []
