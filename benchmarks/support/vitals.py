"""How a page feels in Chromium on a slow machine: when it stands, answers and jumps."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Response, sync_playwright

from benchmarks.support.pages import ROOT
from tests.e2e.conftest import CHROMIUM, FLAGS

SLOWDOWN = 4
ROUNDS = 3
TIMEOUT_MS = 120_000
# https://web.dev/articles/vitals: the largest paint, each event's time until the next paint, and
# the shifts that no press of a key or button explains.
WATCH = """() => {
    window.seen = {lcp: 0, inp: 0, cls: 0};
    const watch = (type, take, more = {}) => new PerformanceObserver(
        list => list.getEntries().forEach(take)).observe({type, buffered: true, ...more});
    watch('largest-contentful-paint', entry => { seen.lcp = entry.startTime; });
    watch('layout-shift', entry => { if (!entry.hadRecentInput) seen.cls += entry.value; });
    watch('event', entry => { seen.inp = Math.max(seen.inp, entry.duration); },
        {durationThreshold: 16});
}"""
# Two frames on, everything that was pressed has been painted and told.
SETTLED = """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(
    () => setTimeout(done, 100))))"""


@dataclass
class Feeling:
    """What one page was like in every round; times in ms."""

    lcp: list[float] = field(default_factory=list)
    inp: list[float] = field(default_factory=list)
    cls: list[float] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)

    def weight(self, suffix: str) -> tuple[int, int]:
        """Bytes of the files of one kind, as they were sent and as gzip makes them."""
        paths = [path for path in self.files if path.endswith(suffix)]
        packed = sum(len(gzip.compress((ROOT / path.lstrip("/")).read_bytes())) for path in paths)
        return sum(self.files[path] for path in paths), packed


def feel(
    url: str, pages: Mapping[str, str], cookie: str, figures: dict[str, float], *, slowdown: int
) -> None:
    """Visit each page with an empty cache, use it, and add what it was like to the figures.

    Args:
        pages: name → path. Names that begin with `my_` are visited by the person of the cookie.
    """
    if CHROMIUM is None:
        print("Chromium is not installed, so pages were not looked at.")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        found = {name: Feeling() for name in pages}
        for _ in range(ROUNDS):
            for name, path in pages.items():
                secret = cookie if name.startswith("my_") else ""
                visit(browser, url, path, secret, found[name], slowdown=slowdown)
        browser.close()
    for name, page in found.items():
        figures[f"{name}_lcp_ms"] = round(median(page.lcp))
        figures[f"{name}_inp_ms"] = round(median(page.inp))
        figures[f"{name}_cls"] = round(max(page.cls), 4)
    figures["lcp_ms"] = max(round(median(page.lcp)) for page in found.values())
    figures["inp_ms"] = max(round(median(page.inp)) for page in found.values())
    figures["cls"] = round(max(max(page.cls) for page in found.values()), 4)
    for kind in ("js", "css"):
        sent, packed = max(page.weight(f".{kind}") for page in found.values())
        figures[f"{kind}_bytes_plain"], figures[f"{kind}_bytes_gzip"] = sent, packed


def visit(
    browser: Browser, url: str, path: str, cookie: str, feeling: Feeling, *, slowdown: int
) -> None:
    """One visit of somebody who has never been here."""
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900})
    if cookie:
        context.add_cookies([{"name": "caravan", "value": cookie, "url": url}])
    context.set_default_timeout(TIMEOUT_MS)
    context.add_init_script(f"({WATCH})()")
    page = context.new_page()
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108  (it marks its listener)
    tools = context.new_cdp_session(page)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
    page.goto(path, wait_until="load")
    page.evaluate("() => document.fonts.ready.then(() => null)")
    page.evaluate(SETTLED)
    # The first press of a key ends the search for the largest paint, so it is read before.
    feeling.lcp.append(page.evaluate("seen.lcp"))
    for answer in answers:
        if "/static/" in answer.url:
            feeling.files[urlsplit(answer.url).path] = len(answer.body())
    use(page)
    feeling.inp.append(page.evaluate("seen.inp"))
    feeling.cls.append(page.evaluate("seen.cls"))
    context.close()


def use(page: Page) -> None:
    """What a person does on every page: search, change the theme, move on by the keyboard."""
    page.keyboard.press("/")
    page.keyboard.type("trip", delay=60)
    page.keyboard.press("Escape")
    theme = page.locator("[data-controller=theme]")
    theme.click()
    theme.click()
    for _ in range(4):
        page.keyboard.press("Tab")
    opener = page.locator("main summary:visible, main [aria-pressed]:visible").first
    if opener.count():
        opener.click()
    page.evaluate(SETTLED)
