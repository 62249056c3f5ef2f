"""Everyone can use every page: axe-core finds nothing, and the keyboard is enough."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.api import Person
from tests.e2e.people import finished, sign_in, sign_up
from tests.e2e.store import ROOT, Store

pytestmark = pytest.mark.e2e
AXE = ROOT / "tests" / "vendor" / "axe" / "axe.min.js"
# Two looks of eight, with nothing in common; CARAVAN_LOOKS=every takes all.
USUAL = {"en": ((1280, "light"),), "ar": ((390, "dark"),)}
EVERY = tuple((width, scheme) for width in (1280, 390) for scheme in ("light", "dark"))
APP = "caravan.phrasebook"

# What a visitor sees, and what a signed-in operator sees who is developer and shopper too.
OPEN_PAGES = ("/accounts/sign-in", "/accounts/sign-up", f"/apps/{APP}", "/offline")
OWN_PAGES = (
    "/",
    "/search?q=travel",
    "/search?q=qqqq",
    "/categories/travel",
    f"/apps/{APP}",
    f"/apps/{APP}/reviews",
    f"/apps/{APP}/report",
    "/apps/caravan.companion",
    "/collections",
    "/collections/first-steps",
    "/reviews/waiting",
    "/nowhere",
    "/my-apps",
    "/runs",
    "/permissions",
    "/purchases",
    "/accounts/settings",
    "/accounts/data",
    "/accounts/close",
    "/help",
    "/portal/",
    f"/portal/apps/{APP}",
    "/portal/upload",
    "/portal/tokens",
    "/portal/earnings",
    "/review/",
    "/review/apps/",
    f"/review/apps/{APP}",
    "/admin/",
    "/admin/ledger",
    "/admin/ads",
    "/admin/ads/new",
    "/admin/collections",
    "/admin/collections/new",
    "/_gallery",
)

# Every rule of WCAG 2.2 A and AA and axe's best practices, once nothing moves any more.
LOOK = """async () => {
    const tags = {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',
        'best-practice']};
    const frame = () => new Promise(done => requestAnimationFrame(done));
    await frame();
    await frame();
    await Promise.allSettled(document.getAnimations().map(animation => animation.finished));
    const found = await axe.run(document, {
        preload: false,
        runOnly: tags,
        rules: {'target-size': {enabled: true}},
        resultTypes: ['violations'],
    });
    const wide = document.documentElement.scrollWidth - innerWidth;
    return found.violations.map(v => `${v.id}: ` + v.nodes.map(n => n.html.slice(0, 160)
        + ' :: ' + n.failureSummary.replace(/\\s+/g, ' ').slice(0, 260)).join(' || '))
        .concat(wide > 0 ? [`${wide} px wider than the window`] : []);
}"""


@dataclass
class Door:
    """A tab with axe in it from each page's first moment."""

    page: Page
    language: str

    def looks(self, path: str) -> list[str]:
        """What is wrong on one page, each time loaded in these colours and this width."""
        separator = "&" if "?" in path else "?"
        every = os.environ.get("CARAVAN_LOOKS") == "every"
        wrong = []
        for width, scheme in EVERY if every else USUAL[self.language]:
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            self.page.goto(f"{path}{separator}lang={self.language}", wait_until="load")
            found: list[str] = self.page.evaluate(LOOK)
            wrong += [f"{self.language} {path} {width} {scheme}: {line}" for line in found]
        return wrong


@pytest.fixture(params=["en", "ar"])
def door(request: pytest.FixtureRequest, browser: Browser, store: Store) -> Iterator[Door]:
    """A visitor who prefers reduced motion, so that nothing is looked at half faded in."""
    visitor = browser.new_context(base_url=store.url, reduced_motion="reduce")
    visitor.add_init_script(path=AXE)
    visitor.set_default_timeout(60_000)
    yield Door(visitor.new_page(), request.param)
    visitor.close()


@pytest.mark.timeout(300)  # a hundred looks, on a machine that may be busy
def test_axe_finds_nothing_on_any_page(door: Door, store: Store, operator: tuple[str, str]) -> None:
    wrong = [line for path in OPEN_PAGES for line in door.looks(path)]
    sign_in(door.page, *operator)
    finished_run, shared = _one_run(store, door)
    for path in (*OWN_PAGES, finished_run, f"{finished_run}/audit", shared):
        wrong += door.looks(path)
    assert wrong == [], "\n".join(wrong)


def _one_run(store: Store, door: Door) -> tuple[str, str]:
    """A run of the signed-in person, at its end, and the link it is shared under."""
    cookies = {c["name"]: c["value"] for c in door.page.context.cookies()}  # type: ignore[typeddict-item]
    person = Person(store.url)
    person.client.cookies.update(cookies)
    person.post("/portal/become-developer", "/accounts/settings")
    run = person.start(APP, "translate", text="Thank you", language="French")
    assert person.events(run)
    shared = re.search(r"/shared/[\w-]+", person.post(f"{run}/share", run, shows_input="on").text)
    assert shared
    person.close()
    return run, shared[0]


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_keyboard_is_enough_to_find_run_and_stop_an_app(
    browser: Browser, store: Store, language: str
) -> None:
    context = browser.new_context(base_url=store.url, locale=language)
    context.set_default_timeout(60_000)
    page = context.new_page()
    sign_up(page)
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    page.keyboard.press("/")
    page.keyboard.type("phrasebook")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/search"))
    _tab_to(page, f"a[href='/apps/{APP}']")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"/apps/{APP}"))
    _tab_to(page, "#run [name=text]")
    page.keyboard.type("Where is the train station?")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    page.keyboard.press("Escape")
    finished(page)
    log = page.locator("[data-run-output]")
    assert log.get_attribute("aria-live") in {None, "off"}, "a reader would hear each token"
    expect(page.locator("[role=status]").first).to_be_attached()
    context.close()


def _tab_to(page: Page, selector: str, most: int = 80) -> None:
    """Press Tab until this element has the focus."""
    for _press in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{most} presses of Tab do not reach {selector}")


def test_colours_change_at_once_for_whoever_wants_no_motion(browser: Browser) -> None:
    names = ("tokens", "base", "layout", "components", "pages")
    sheet = "".join((ROOT / "static" / "css" / f"{name}.css").read_text() for name in names)
    page = browser.new_page(reduced_motion="reduce", color_scheme="light")
    page.set_content(f'<style>{sheet}</style><a class="button button-secondary">Go</a>')
    colour = "getComputedStyle(document.querySelector('a')).color"
    by_day = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    # Half of a change would be ink on ink of its own kind.
    at_once = page.evaluate(colour)
    assert at_once != by_day
    page.evaluate("() => new Promise(done => setTimeout(done, 200))")
    assert page.evaluate(colour) == at_once
    page.close()
