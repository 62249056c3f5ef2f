"""Money in the browser: an app bought, used and given back; an advertisement seen and paid."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from marketplace.kernel.clock import utc_now
from tests.e2e.people import finished, run, sign_in, sign_up
from tests.e2e.store import Store
from tests.e2e.test_walk import shoot

pytestmark = pytest.mark.e2e

FACTS = {
    "product": "wool rug",
    "material": "merino wool",
    "benefit": "warms cold hands",
    "audience": "tea lovers",
    "price": "45 euros",
}
COMPLAINT = "Hello. My wool rug has not arrived. I am worried. I need it by tomorrow."


def test_an_app_is_bought_run_and_given_back(
    page: Page, context: BrowserContext, store: Store, operator: tuple[str, str], shots: Path
) -> None:
    sign_up(page)
    page.goto("/apps/caravan.helpdesk")
    expect(page.locator("#run form")).to_have_count(0)
    shoot(page, shots, "paid-app")
    page.locator("#run a[href*='/checkout/']").click()
    shoot(page, shots, "checkout")
    page.locator("main form button[type=submit]").click()
    shoot(page, shots, "till")
    page.locator("button[value=pay]").click()
    page.wait_for_url(re.compile("/orders/"))
    refund = page.locator("form[action$='/refund'] button")
    expect(refund).to_be_visible(timeout=15_000)
    order = page.url
    shoot(page, shots, "order")

    run(page, "caravan.helpdesk", message=COMPLAINT)
    assert finished(page).strip()
    shoot(page, shots, "helpdesk-run")

    page.goto(order)
    refund.click()
    page.locator("dialog[open] button[value=yes]").click()
    expect(page.locator("form[action$='/refund']")).to_have_count(0, timeout=15_000)
    shoot(page, shots, "order-given-back")
    page.goto("/apps/caravan.helpdesk")
    expect(page.locator("#run form")).to_have_count(0)
    page.goto("/purchases")
    shoot(page, shots, "purchases")

    desk = context.browser.new_context(base_url=store.url).new_page()  # type: ignore[union-attr]
    sign_in(desk, *operator)
    desk.goto("/admin/ledger")
    expect(desk.locator(".notice-good")).to_be_visible()
    shoot(desk, shots, "ledger")
    desk.context.close()


def test_an_advertisement_is_labelled_seen_once_and_clicked_once(
    page: Page, context: BrowserContext, store: Store, operator: tuple[str, str], shots: Path
) -> None:
    desk = context.browser.new_context(base_url=store.url).new_page()  # type: ignore[union-attr]
    sign_in(desk, *operator)
    _launch(desk)
    shoot(desk, shots, "advertising")
    before = _figures(desk)

    sign_up(page)
    run(page, "caravan.copywriter", **FACTS)
    finished(page)
    card = page.locator(".sponsored")
    expect(card).to_have_count(1)
    with page.expect_response(lambda r: r.url.endswith("/view")) as seen:
        card.scroll_into_view_if_needed()
    assert seen.value.status == 204
    shoot(page, shots, "sponsored")
    page.reload()
    page.locator(".sponsored").scroll_into_view_if_needed()
    destination = page.locator(".sponsored a").first.get_attribute("href")
    assert destination
    for _ in range(2):
        answer = page.request.get(destination, max_redirects=0)
        assert answer.headers["location"] == "https://example.org/tea"

    desk.goto("/admin/ads")
    after = _figures(desk)
    assert after == (before[0] + 1, before[1] + 1), "a view and a click count once"
    shoot(desk, shots, "advertising-after")
    desk.goto("/admin/ledger")
    expect(desk.locator(".notice-good")).to_be_visible()
    desk.context.close()


def _launch(desk: Page) -> None:
    """Make a campaign, unless one runs already."""
    desk.goto("/admin/ads")
    if desk.get_by_text("Tea house").count():
        return
    desk.goto("/admin/ads/new")
    values = {
        "advertiser": "Tea house",
        "name": "Evening tea",
        "headline": "Tea that tastes of evening",
        "text": "Leaves from one hill, roasted this week.",
        "cta": "See the teas",
        "url": "https://example.org/tea",
        "bid": "2.50",
        "budget": "50.00",
        "starts_on": (utc_now() - timedelta(days=1)).date().isoformat(),
        "ends_on": (utc_now() + timedelta(days=30)).date().isoformat(),
    }
    for name, value in values.items():
        desk.locator(f"input[name={name}]").fill(value)
    desk.locator("label:has(input[name=pricing])").first.click()
    desk.locator("main form button[type=submit]").click()
    expect(desk.get_by_text("Tea house").first).to_be_visible()


def _figures(desk: Page) -> tuple[int, int]:
    """Views and clicks, as the desk shows them."""
    texts = desk.locator(".stat").all_inner_texts()
    numbers = {text.split("\n")[0]: text.split("\n")[1] for text in texts}
    return int(numbers["Views"]), int(numbers["Clicks"])
