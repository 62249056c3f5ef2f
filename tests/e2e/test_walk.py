"""The walk of a shopper, a developer and an operator through a real store, in both languages."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from caravan.bundle import build
from caravan.reading import read_manifest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.api import Person, write_app
from tests.e2e.people import finished, run, sign_in, sign_up
from tests.e2e.store import ROOT, Store

pytestmark = pytest.mark.e2e
ROAD = ("caravan.copywriter", "caravan.helpdesk", "caravan.phrasebook")


def shoot(page: Page, shots: Path, name: str) -> None:
    """Keep a picture of the page, named by language."""
    locale = page.locator("html").get_attribute("lang")
    page.screenshot(path=shots / f"{name}-{locale}.png", full_page=True)


def test_a_visitor_browses_without_an_account(page: Page, shots: Path) -> None:
    page.goto("/")
    # The apps of the road are there before the store says it is open; others may join them.
    expect(page.locator(".app-feature").nth(len(ROAD) - 1)).to_be_visible()
    shoot(page, shots, "home")
    page.locator(".category-link").first.click()
    expect(page.locator(".app-tile").first).to_be_visible()
    shoot(page, shots, "category")
    page.goto("/search?q=phrazebook")
    expect(page.locator(".app-tile .app-tile-name").first).to_be_visible()
    shoot(page, shots, "search")
    page.locator(".app-tile a.cover-link").first.click()
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator(".permission").first).to_be_visible()
    assert page.locator("html").get_attribute("dir") in {"ltr", "rtl"}
    shoot(page, shots, "app")


def test_an_address_that_leads_nowhere_says_so(context: BrowserContext, shots: Path) -> None:
    page = context.new_page()
    answer = page.goto("/nowhere")
    assert answer is not None
    assert answer.status == 404
    expect(page.locator("h1")).to_be_visible()
    shoot(page, shots, "not-found")


def test_a_person_signs_up_runs_an_app_and_finds_it_again(page: Page, shots: Path) -> None:
    page.goto("/accounts/sign-up")
    shoot(page, shots, "sign-up")
    sign_up(page)
    run(page, "caravan.phrasebook", text="Where is the train station?", language="Spanish")
    assert "estación" in finished(page)
    shoot(page, shots, "run-live")
    page.reload()
    assert "estación" in finished(page)
    receipt = page.locator("[data-run-receipt]").inner_text()
    assert re.search(r"\d", receipt)
    shoot(page, shots, "run")
    page.goto("/runs")
    expect(page.locator(".run-row")).to_have_count(1)
    shoot(page, shots, "my-runs")


def test_a_run_works_without_javascript(context: BrowserContext, store: Store) -> None:
    browser = context.browser
    assert browser is not None
    plain = browser.new_context(base_url=store.url, java_script_enabled=False)
    page = plain.new_page()
    sign_up(page)
    run(page, "caravan.phrasebook", text="Thank you", language="French")
    expect(page.locator("[data-run-receipt] .receipt")).to_be_visible(timeout=30_000)
    plain.close()


def test_a_form_that_does_not_fit_comes_back_with_what_was_typed(context: BrowserContext) -> None:
    page = context.new_page()
    sign_up(page)
    page.goto("/apps/caravan.phrasebook")
    page.locator("#run form").evaluate("form => form.noValidate = true")
    page.locator("#run textarea, #run input[name=text]").first.fill("")
    with page.expect_response(lambda r: r.request.method == "POST") as answered:
        page.locator("#run button[type=submit]").evaluate("b => b.form.submit()")
    assert answered.value.status == 422


def test_a_developer_publishes_and_an_operator_approves(
    page: Page,
    context: BrowserContext,
    store: Store,
    operator: tuple[str, str],
    shots: Path,
    tmp_path: Path,
) -> None:
    ident = "walker.greeter" + ("-ar" if "ar" in str(page.evaluate("navigator.language")) else "")
    body = (
        '"""Greets."""\n\nfrom caravan import App, Context\n\napp = App()\n\n\n'
        '@app.action("Greet")\ndef greet(ctx: Context, name: str):\n'
        '    """Say hello."""\n    yield f"Salam, {name}!"\n'
    )
    folder = write_app(tmp_path / "greeter", ident, body)
    sign_up(page)
    page.goto("/portal/")
    shoot(page, shots, "portal-invitation")
    page.locator("form[action$='become-developer'] button").click()
    page.goto("/portal/tokens")
    page.locator("input[name=name]").fill("Laptop")
    page.locator("main form[action*=tokens] button[type=submit]").last.click()
    token = page.locator(".code-block code").first.inner_text().strip()
    shoot(page, shots, "tokens")
    published = subprocess.run(
        [
            sys.executable,
            "-m",
            "caravan.cli",
            "publish",
            "--store",
            store.url,
            "--wait",
            str(folder),
        ],
        cwd=folder,
        env={**store.environment(), "CARAVAN_TOKEN": token, "PYTHONPATH": str(ROOT / "sdk")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert published.returncode == 0, published.stdout + published.stderr
    page.goto(f"/portal/apps/{ident}")
    expect(page.locator(".check").first).to_be_attached()
    shoot(page, shots, "portal-release")

    desk = context.browser.new_context(base_url=store.url).new_page()  # type: ignore[union-attr]
    sign_in(desk, *operator)
    desk.goto("/review/")
    shoot(desk, shots, "review-queue")
    desk.locator(f".run-row:has-text('{ident}')").click()
    shoot(desk, shots, "review-release")
    desk.locator("form[action$='approve'] button").click()
    desk.goto("/admin/")
    expect(desk.locator("h1")).to_be_visible()
    shoot(desk, shots, "admin")
    desk.context.close()

    run(page, ident, name="Noor")
    assert "Salam, Noor!" in finished(page)
    page.goto("/portal/")
    expect(page.locator(".run-row")).to_contain_text(ident)
    shoot(page, shots, "portal")


def test_a_run_stops_when_the_person_presses_stop(
    page: Page, store: Store, operator: tuple[str, str], shots: Path, tmp_path: Path
) -> None:
    locale = str(page.evaluate("navigator.language"))
    ident = f"walker.counter-{locale[:2]}"
    body = (
        '"""Counts."""\n\nfrom caravan import App, Context\n\napp = App()\n\n\n'
        '@app.action("Count")\ndef count(ctx: Context):\n'
        '    """Count slowly."""\n'
        "    for number in range(5000):\n"
        '        ctx.kv.user.set("number", number)\n'
        '        yield f"{number} "\n'
    )
    folder = write_app(tmp_path / "counter", ident, body, permissions=("kv.user",))
    _publish_as_operator(store, operator, folder)
    sign_up(page)
    run(page, ident)
    expect(page.locator(".run-text").first).to_contain_text("10 ")
    shoot(page, shots, "run-streaming")
    page.keyboard.press("Escape")
    assert "0 1 2 3" in finished(page)
    expect(page.locator("[data-run-stop]")).to_have_count(0)
    page.reload()
    assert "4999" not in finished(page)
    shoot(page, shots, "run-stopped")


def _publish_as_operator(store: Store, operator: tuple[str, str], folder: Path) -> None:
    """Upload through the browser's door; what an operator uploads is published once checked."""
    email, password = operator
    person = Person(store.url)
    signed_in = person.post(
        "/accounts/sign-in", "/accounts/sign-in", email=email, password=password
    )
    assert signed_in.status_code == 200
    person.post("/portal/become-developer", "/portal/")
    page = person.client.get("/portal/upload").text
    token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page)
    assert token
    answer = person.client.post(
        "/portal/upload",
        data={"csrf_token": token[1]},
        files={"bundle": ("app.caravan", build(folder))},
    )
    assert answer.status_code == 200, answer.text
    ident = folder_ident(folder)
    deadline = time.monotonic() + 30
    while person.client.get(f"/apps/{ident}").status_code != 200:
        assert time.monotonic() < deadline, "the app was not published in thirty seconds"
        time.sleep(0.1)
    person.close()


def folder_ident(folder: Path) -> str:
    """The ident in an app folder's manifest."""
    return read_manifest((folder / "caravan.toml").read_bytes()).app.id
