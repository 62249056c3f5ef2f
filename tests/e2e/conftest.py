"""A store, an operator and a browser for the tests that walk it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlmodel import SQLModel

from marketplace.infra.db import Database
from tests.corpus.payloads import Strangers
from tests.corpus.records import Corpus, corpus
from tests.e2e.api import Person
from tests.e2e.gallery import gallery
from tests.e2e.store import Store

CHROMIUM = next(
    (p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None
)
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
OPERATOR = ("operator@example.org", "a quiet caravan at dusk")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One running store for all walks."""
    running = Store(tmp_path_factory.mktemp("store")).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def operator(store: Store) -> tuple[str, str]:
    """The first operator, made with the one-time link."""
    email, password = OPERATOR
    person = Person(store.url)
    link = store.setup_link.removeprefix(store.url)
    answer = person.post(link, link, name="Amal", email=email, password=password)
    assert answer.status_code == 200, answer.text
    assert person.client.get(link).status_code == 404, "the link must work once"
    person.close()
    return OPERATOR


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """A store of pages in this process, full of what strangers wrote, for one module alone."""
    with corpus(tmp_path_factory.mktemp("full"), Strangers(each=8)) as found:
        yield found


@pytest.fixture(scope="module")
def gallery_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database of one module's own: what it keeps is nobody else's."""
    made = Database(f"sqlite:///{tmp_path_factory.mktemp('database') / 'store.db'}")
    SQLModel.metadata.create_all(made.engine)
    yield made
    made.close()


@pytest.fixture(scope="module")
def gallery_store(
    gallery_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Flask, str]]:
    """The pages of runs, and the address at which they are served."""
    with gallery(gallery_database, tmp_path_factory.mktemp("gallery")) as made:
        yield made


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, as the machine has it. In CI its absence is a failure, elsewhere a skip."""
    if CHROMIUM is None:
        assert not os.environ.get("CI"), "Chromium is not installed."
        pytest.skip("Chromium is not installed.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(params=[("en", 1280), ("ar", 390)], ids=["english-wide", "arabic-narrow"])
def context(
    request: pytest.FixtureRequest, browser: Browser, store: Store
) -> Iterator[BrowserContext]:
    """A fresh visitor, once in English on a wide screen and once in Arabic on a phone."""
    locale, width = request.param
    visitor = browser.new_context(
        base_url=store.url, locale=locale, viewport={"width": width, "height": 900}
    )
    visitor.set_default_timeout(20_000)
    yield visitor
    visitor.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab whose script errors and refused resources fail the test."""
    tab = context.new_page()
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on(
        "console",
        lambda message: wrong.append(message.text) if message.type == "error" else None,
    )
    yield tab
    assert wrong == []


@pytest.fixture
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: SHOTS_DIR, or a temporary folder."""
    folder = Path(os.environ.get("SHOTS_DIR", tmp_path_factory.getbasetemp() / "shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
