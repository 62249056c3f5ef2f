"""Takes the pictures of the shipped apps' pages: `python -m tools.screenshots [APP …]`.

Each app is run in a real store, in English and in Arabic, and what its page shows becomes
`plugins/<app>/assets/<language>.webp`. What differs from run to run is taken off first: the
receipt, the date and the link to the log.
"""

import io
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from caravan.reading import MANIFEST_FILE, read_manifest
from PIL import Image
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect, sync_playwright

from tests.e2e.conftest import CHROMIUM, FLAGS
from tests.e2e.people import sign_up
from tests.e2e.store import ROOT, Store

PLUGINS = ROOT / "plugins"
SIZE = (1120, 700)
QUALITY = 78
MARGIN = 32
LOCALES = ("en", "ar")
STEADY = """
const passing = "[data-run-receipt], .toast, .run-question .actions .muted, .stack-wide + aside";
for (const each of document.querySelectorAll(passing)) each.remove();
for (const each of document.querySelectorAll(".app-head p.muted")) {
  each.replaceChildren(...each.querySelectorAll("span"));
}
for (const each of document.querySelectorAll("aside p > a")) each.parentElement.remove();
document.activeElement?.blur();
"""
TABLE = """City,Month,Sales
Amman,May,120
Petra,May,80
Amman,June,150
Petra,June,210
Aqaba,June,95"""
PACKING = """We leave on Friday, before it gets hot.

To pack:
- Water
- A hat
- Good shoes

How we get there:
What, When, Price
Bus, 8:00, 12
Taxi, any time, 45

Before we go:
todo: book the hotel
done: ask for two days off"""


@dataclass(frozen=True)
class Scene:
    """What a person does with one app.

    Args:
        values: what they fill in; `ar` where they write another thing in Arabic.
        files: the file of a file field, below the app's `evals/`; likewise.
        waits_for: what is on the page when the picture is taken.
        is_form: whether the picture is of the form, not of a run.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    ar: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    waits_for: str = "[data-run-receipt] .receipt"
    is_form: bool = False


SCENES = {
    "companion": Scene({"message": "What is Caravan?"}),
    "copywriter": Scene(
        {
            "product": "wool rug",
            "material": "merino wool",
            "benefit": "warms cold hands",
            "audience": "tea lovers",
            "price": "45 euros",
        }
    ),
    "helpdesk": Scene(
        {"message": "Hello. My wool rug has not arrived. I am worried. I need it by tomorrow."}
    ),
    "markdown": Scene({"title": "Weekend in Petra", "notes": PACKING}),
    "minutes": Scene(files={"notes": {"en": "planning.md", "ar": "ajtima.txt"}}),
    "persona": Scene(
        {"question": "How do I find my way without a map?", "character": "Noor, the stargazer"},
        is_form=True,
    ),
    "phrasebook": Scene(
        {"text": "I would like a single room for two nights.", "language": "French"},
        ar={"language": "Arabic"},
    ),
    "spreadsheet": Scene({"table": TABLE, "question": "Total sales by city?"}),
    "tutor": Scene({"language": "French"}, ar={"language": "Arabic"}, waits_for=".run-question"),
    "webreader": Scene({"article": "Caravanserai"}, ar={"article": "خان"}, is_form=True),
}


def main(names: list[str]) -> None:
    """Take the pictures of these apps, of all without a name."""
    if CHROMIUM is None:
        sys.exit("Chromium is not installed; `make test` installs it where it can.")
    with (
        tempfile.TemporaryDirectory() as folder,
        opened(Path(folder)) as store,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name in names or sorted(SCENES):
            for locale in LOCALES:
                with visitor(browser, store, locale) as page:
                    keep(picture(page, name, locale), PLUGINS / name / "assets", locale)
        browser.close()


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    """A store on a data folder of its own."""
    store = Store(folder).start()
    try:
        yield store
    finally:
        store.stop()


@contextmanager
def visitor(browser: Browser, store: Store, locale: str) -> Iterator[Page]:
    """Somebody who is signed in."""
    width, height = SIZE
    context = browser.new_context(
        base_url=store.url,
        locale=locale,
        color_scheme="light",
        reduced_motion="reduce",
        viewport={"width": width, "height": height},
    )
    page = context.new_page()
    sign_up(page)
    yield page
    context.close()


def picture(page: Page, name: str, locale: str) -> bytes:
    """A PNG of an app at work."""
    scene = SCENES[name]
    manifest = read_manifest((PLUGINS / name / MANIFEST_FILE).read_bytes())
    page.goto(f"/apps/{manifest.app.id}")
    if manifest.product:
        buy(page)
        page.goto(f"/apps/{manifest.app.id}")
    form = page.locator("#run form").first
    for key, value in {**scene.values, **(scene.ar if locale == "ar" else {})}.items():
        fill(form, key, value)
    for key, files in scene.files.items():
        form.locator(f"[name='{key}']").set_input_files(PLUGINS / name / "evals" / files[locale])
    if not scene.is_form:
        form.locator("button[type=submit]").click()
        expect(page.locator(scene.waits_for).first).to_be_visible(timeout=120_000)
    page.evaluate(STEADY)
    page.evaluate("window.scrollTo(0, 0)")
    return below(page, "#run" if scene.is_form else ".app-head")


def below(page: Page, top: str) -> bytes:
    """A picture of the page from this element on, to the end of what it shows."""
    width, height = SIZE
    start = page.locator(top).bounding_box()
    last = page.locator("#run" if top == "#run" else ".split").bounding_box()
    if start is None or last is None:
        sys.exit(f"{page.url} does not show what it should.")
    tall = min(height, last["y"] + last["height"] - start["y"] + 2 * MARGIN)
    left, wide = (start["x"] - MARGIN, start["width"] + 2 * MARGIN) if top == "#run" else (0, width)
    clip = FloatRect(x=left, y=start["y"] - MARGIN, width=wide, height=tall)
    return page.screenshot(full_page=True, clip=clip, animations="disabled", caret="hide")


def fill(form: Locator, name: str, value: str) -> None:
    """Put a value into a field, whatever control it is."""
    control = form.locator(f"[name='{name}']").first
    kind = control.evaluate("e => e.tagName === 'SELECT' ? 'select' : e.type")
    if kind == "radio":
        form.locator(f"label:has(input[name='{name}'][value='{value}'])").click()
    elif kind == "select":
        control.select_option(value)
    else:
        control.fill(value)


def buy(page: Page) -> None:
    """Pay with the store's play money."""
    page.locator("#run a[href*='/checkout/']").click()
    page.locator("main form button[type=submit]").click()
    page.locator("button[value=pay]").click()
    expect(page.locator("form[action$='/refund'] button")).to_be_visible(timeout=30_000)


def keep(png: bytes, folder: Path, locale: str) -> None:
    """Write a picture as WebP."""
    file = folder / f"{locale}.webp"
    with Image.open(io.BytesIO(png)) as opened_picture:
        opened_picture.convert("RGB").save(file, "WEBP", quality=QUALITY, method=6)
    print(f"{os.path.relpath(file)}  {file.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main(sys.argv[1:])
