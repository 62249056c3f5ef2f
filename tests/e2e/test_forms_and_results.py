"""Every field and every result in a real browser: filled, sent, drawn, allowed by the policy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from marketplace.infra.db import Database
from tests.factories.pages import sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket]


@pytest.fixture(params=[("en", 1280, "light"), ("ar", 390, "dark")], ids=["english", "arabic"])
def page(
    request: pytest.FixtureRequest,
    browser: Browser,
    gallery_database: Database,
    gallery_store: tuple[Flask, str],
) -> Iterator[Page]:
    locale, width, scheme = request.param
    app, url = gallery_store
    client = app.test_client()
    sign_in(gallery_database, client)
    cookie = client.get_cookie("caravan")
    assert cookie is not None
    context = browser.new_context(
        locale=locale,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)
    context.add_cookies(
        [{"name": "caravan", "value": cookie.value, "domain": "127.0.0.1", "path": "/"}]
    )
    tab = context.new_page()
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    tab.goto(f"{url}/apps/caravan.gallery")
    yield tab
    context.close()
    # A form that is sent back is a 422, which the browser notes as an error.
    assert [each for each in wrong if "422" not in each] == []


def assert_fits(page: Page) -> None:
    """Nothing is wider than the page."""
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


def test_every_field_is_filled_and_every_result_is_drawn(page: Page, shots: Path) -> None:
    form = page.locator("form[data-controller=form]")
    form.locator("[data-form-example]").click()
    expect(form.locator("[name=wish]")).to_have_value("Slow mornings and old towns")
    form.locator("[name='leader.name']").fill("Amina")
    rows = form.locator("[data-rows] tr")
    expect(rows).to_have_count(3)
    for number, city in enumerate(("Fes", "Rabat", "Salé")):
        rows.nth(number).locator("input[type=text]").fill(city)
        rows.nth(number).locator("input[type=number]").fill(str(number + 2))
        rows.nth(number).locator("select").select_option("inn")
    form.locator("[data-rows-add]").click()
    expect(rows).to_have_count(4)
    expect(form.locator("[data-rows-add]")).to_be_hidden()
    rows.nth(1).locator("[data-rows-remove]").click()
    expect(rows).to_have_count(3)
    locale = page.locator("html").get_attribute("lang")
    assert_fits(page)
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=shots / f"form-{locale}.png", full_page=True)

    form.locator("button[type=submit]").click()
    output = page.locator("[data-run-output]")
    expect(page.locator("[data-run-receipt] .receipt")).to_be_visible()
    expect(output.locator(".u-over")).to_have_count(2)
    expect(output.locator(".code-copy")).to_have_text({"en": "Copy", "ar": "نسخ"}[str(locale)])
    expect(output.locator("details.chart-table[open]")).to_have_count(0)
    expect(output.locator(".table-scroll tbody tr", has_text="Salé").first).to_be_visible()
    expect(output).not_to_contain_text("Rabat")
    square = output.get_by_role("img", name="A square of terracotta")
    assert square.evaluate("image => image.naturalWidth") == 10
    assert_fits(page)
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=shots / f"results-{locale}.png", full_page=True)

    page.reload()
    expect(output.locator(".u-over")).to_have_count(2)


def test_a_fault_in_a_row_or_a_group_is_told_beside_it(page: Page, shots: Path) -> None:
    form = page.locator("form[data-controller=form]")
    form.locator("[name=wish]").fill("Rest")
    form.locator("[name='leader.name']").fill("Amina")
    form.locator("[data-rows] tr").first.locator("input[type=text]").fill("F")
    form.locator("button[type=submit]").click()
    wrong = page.locator("#stops .field-error:visible")
    expect(wrong).to_have_count(1)
    expect(page.locator("[name='stops.0.city']")).to_have_value("F")
    expect(page.locator("[name='leader.name']")).to_have_value("Amina")
    page.screenshot(path=shots / f"wrong-{page.locator('html').get_attribute('lang')}.png")


def test_a_form_in_the_middle_of_a_run_is_corrected_and_answered(page: Page, shots: Path) -> None:
    locale = page.locator("html").get_attribute("lang")
    page.goto(page.url.replace("caravan.gallery", "caravan.camp"))
    form = page.locator("form[data-controller=form]")
    notes = form.locator("input[type=file]")
    notes.set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"x" * 2001})
    expect(form.locator(".field-error:visible")).to_have_count(1)
    form.locator("button[type=submit]").click()
    notes.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n"})
    form.locator("button[type=submit]").click()
    expect(form.locator("[data-form-errors] a")).to_have_count(1)
    notes.set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"by the well"})
    form.locator("button[type=submit]").click()

    question = page.locator("form.run-question")
    expect(question).to_be_visible()
    page.reload()
    expect(question).to_have_count(1)
    # As with a browser that does not check by itself.
    question.locator("[name=action]").evaluate("field => field.removeAttribute('minlength')")
    question.locator("[name=action]").fill("1")
    question.locator("button[type=submit]").click()
    wrong = question.locator("[data-form-errors] a")
    expect(wrong).to_have_count(1)
    expect(question.locator("[name=action]")).to_have_value("1")
    assert page.locator(f"[id='{(wrong.get_attribute('href') or '')[1:]}']").count() == 1
    assert_fits(page)
    page.screenshot(path=shots / f"question-{locale}.png", full_page=True)
    question.locator("[name=action]").fill("22")
    expect(page.locator("[data-run-output] .u-over")).to_have_count(1)
    chart = page.locator("[data-run-output] .chart").element_handle()
    # One press is enough, though the error above the button goes as the pointer comes.
    question.locator("button[type=submit]").click()
    expect(page.locator("[data-run-receipt] .receipt")).to_be_visible()
    expect(page.locator("[data-run-output]")).to_contain_text("by the well: 22")
    # What the end of a run brings is the same chart; drawing it anew would flicker.
    assert chart.evaluate("chart => chart.isConnected")

    page.locator("#share button[type=submit]").click()
    link = page.locator(".share-link a")
    expect(link).to_be_visible()
    assert_fits(page)
    page.screenshot(path=shots / f"shared-{locale}.png", full_page=True)
