"""What people do in the browser, each step as they would see it."""

import itertools
import os
import re

from playwright.sync_api import Page, expect

PASSWORD = "three camels and a tent"
_numbers = itertools.count(1)


def fresh_email() -> str:
    """An address nobody has used in this run."""
    return f"person{next(_numbers)}.{os.getpid()}@example.org"


def sign_up(page: Page, *, name: str = "Noor") -> str:
    """Make an account through the form. Returns: its e-mail address."""
    email = fresh_email()
    page.goto("/accounts/sign-up")
    page.locator("input[name=name]").fill(name)
    page.locator("input[name=email]").fill(email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator(".avatar")).to_be_visible()
    return email


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Sign in through the form."""
    page.goto("/accounts/sign-in")
    page.locator("input[name=email]").fill(email)
    page.locator("input[name=password]").fill(password)
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator(".avatar")).to_be_visible()


def run(page: Page, ident: str, **values: str) -> None:
    """Fill an app's form and run it; ends on the run's page."""
    page.goto(f"/apps/{ident}")
    form = page.locator("#run form").first
    for name, value in values.items():
        control = form.locator(f"[name='{name}']").first
        kind = control.evaluate("e => e.tagName === 'SELECT' ? 'select' : e.type")
        if kind == "radio":
            form.locator(f"label:has(input[name='{name}'][value='{value}'])").click()
        elif kind == "select":
            control.select_option(value)
        else:
            control.fill(value)
    form.locator("button[type=submit]").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}"))


def finished(page: Page) -> str:
    """Wait until the run's receipt is there, and give its output's text."""
    expect(page.locator("[data-run-receipt] .receipt")).to_be_visible(timeout=60_000)
    return page.locator("[data-run-output]").inner_text()
