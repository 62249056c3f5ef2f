"""The page of `caravan dev` in a browser: a run, and saves that it follows while someone types."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from caravan.cli.bench import NativeBench, Upstreams
from caravan.cli.devserver import DevServer
from playwright.sync_api import Browser, Page, expect

from tests.factories.serving import serving
from tests.sdk.bundles import APP, write_folder

SDK = Path(__file__).parents[2] / "sdk"
NEW_PARAMETER = APP.replace("text: str", "text: str, tone: str = ''")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DevServer]:
    monkeypatch.setenv("PYTHONPATH", str(SDK))
    server = DevServer(write_folder(tmp_path / "echo"), 0, NativeBench(Upstreams()))
    with serving(server):
        yield server


@pytest.fixture
def page(browser: Browser, server: DevServer) -> Iterator[Page]:
    """The open page; what it complains of in the console fails the test."""
    context = browser.new_context()
    context.set_default_timeout(20_000)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda said: complaints.append(said.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(server.url)
    yield opened
    context.close()
    assert complaints == []


def test_a_run_ends_with_its_result_and_what_it_used(page: Page) -> None:
    page.locator("[name=text]").fill("salam")
    page.locator("[data-dev-form] button[type=submit]").click()
    expect(page.locator("[data-run-receipt]")).to_contain_text("Output")
    expect(page.locator(".run-output")).to_contain_text("salam")


def test_a_save_changes_the_form_the_name_and_the_icon_and_keeps_what_was_typed(
    page: Page, server: DevServer
) -> None:
    page.locator("[name=text]").fill("half a thought")
    icon = page.locator(".app-icon").get_attribute("src")
    (server.folder / "app.py").write_text(NEW_PARAMETER)
    expect(page.locator("[name=tone]")).to_be_visible()
    expect(page.locator("[name=text]")).to_have_value("half a thought")
    manifest = server.folder / "caravan.toml"
    manifest.write_text(manifest.read_text().replace('name = "Echo"', 'name = "Answer"', 1))
    expect(page.locator("h1")).to_have_text("Answer")
    expect(page).to_have_title("Answer · caravan dev")
    expect(page.locator(".app-icon")).not_to_have_attribute("src", icon or "")
