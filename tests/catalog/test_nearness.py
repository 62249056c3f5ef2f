"""Search by meaning: what it finds, what it says, and that nobody ever waits for it."""

import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from flask import Flask
from sqlmodel import Session, col, select

from marketplace.catalog import meanings, nearness, service, shelves, views
from marketplace.catalog.models import App, Release
from marketplace.catalog.nearness import Nearness
from marketplace.catalog.pages import Filters
from marketplace.inference.ports import BadGeneration, Embedded, Embedding, QueueFull
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AppId
from tests.factories.accounts import make_account
from tests.factories.catalog import make_listed
from tests.factories.meanings import Meaningful
from tests.factories.pages import make_store

APPS = {
    "Brief": "Shorten an agreement, clause by clause.",
    "Cook": "A recipe for every dinner.",
    "Compass": "Plan a journey or a holiday.",
    "Plain": "A ruler for your desk.",
    "Echo": "It says again what you said.",
}


class Watch:
    """A clock that tests turn on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Held(Meaningful):
    """Answers queries once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = Event()

    def embed(self, embedding: Embedding) -> Embedded:
        if embedding.app == nearness.ASKER:
            self.let.wait(10)
        return super().embed(embedding)


@pytest.fixture
def shelf(empty_database: Database) -> Database:
    """Five apps with vectors."""
    with empty_database.writing() as session:
        owner = make_account(session, is_developer=True)
        for name, summary in APPS.items():
            make_listed(session, owner=owner, name=name, summary=summary, description="")
    meanings.make(empty_database, Meaningful(), now=utc_now())
    return empty_database


def opened(database: Database, engine: Meaningful, **given: Any) -> Nearness:
    found = Nearness(database, engine, budget_s=given.pop("budget_s", 5.0), **given)
    found.refresh()
    return found


def names(database: Database, near: Mapping[AppId, float]) -> set[str]:
    with database.reading() as session:
        return set(session.exec(select(App.name).where(col(App.id).in_(near))).all())


def asked(engine: Meaningful) -> list[str]:
    return [each.texts[0] for each in engine.embedded if each.app == nearness.ASKER]


def test_a_task_finds_the_app_that_does_it(shelf: Database) -> None:
    near = opened(shelf, Meaningful()).near("summarise my contract")
    assert names(shelf, near) == {"Brief"}
    assert names(shelf, opened(shelf, Meaningful()).near("ملخص عقد")) == {"Brief"}


def test_the_page_says_that_it_was_found_by_its_meaning(shelf: Database) -> None:
    near = opened(shelf, Meaningful()).near("summarise my contract")
    for query, why in {
        "summarise my contract": "Close in meaning to what you typed",
        "brief": "This is its name · also close in meaning",
    }.items():
        with shelf.reading() as session:
            [tile] = shelves.found(
                session, query, Filters(), number=1, locale="en", near=near
            ).tiles.items
        assert (tile.name, tile.why) == ("Brief", why)


def test_filters_and_withdrawals_hold_for_what_is_found_by_meaning(shelf: Database) -> None:
    near = opened(shelf, Meaningful()).near("summarise my contract")

    def found(session: Session, **filters: Any) -> list[str]:
        page = shelves.found(
            session, "contract", Filters(**filters), number=1, locale="en", near=near
        )
        return [tile.name for tile in page.tiles.items]

    with shelf.writing() as session:
        assert found(session) == ["Brief"]
        assert found(session, category="fun", price="free", sort="new") == ["Brief"]
        assert found(session, category="travel") == []
        assert found(session, price="paid") == []
        service.withdraw(session, session.exec(select(App).where(App.name == "Brief")).one())
        session.flush()  # what the page reads must be in the transaction
        assert found(session) == []


def test_a_query_is_turned_into_a_vector_once_in_a_while(shelf: Database) -> None:
    engine, watch = Meaningful(), Watch()
    found = opened(shelf, engine, clock=watch)
    for _round in range(3):
        found.near("a  trip ")
    watch.now += nearness.KEEP_S
    found.near("a trip")
    assert asked(engine) == ["a trip", "a trip"]


def test_only_so_many_queries_are_remembered(
    shelf: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearness, "MOST_KEPT", 2)
    engine = Meaningful()
    found = opened(shelf, engine)
    for query in ("trip", "meal", "lease", "trip"):
        found.near(query)
    assert asked(engine) == ["trip", "meal", "lease", "trip"]


def test_a_slow_engine_costs_one_search_its_budget_and_the_next_nothing(shelf: Database) -> None:
    engine, watch = Held(), Watch()
    found = opened(shelf, engine, clock=watch, budget_s=0.05)
    began = time.monotonic()
    assert found.near("trip") == {}
    late_s = time.monotonic() - began
    assert 0.05 <= late_s < 2
    assert found.near("meal") == {}
    engine.let.set()
    arrived(found, "trip")
    # What came late serves the next who asks the same, before the engine is trusted again.
    assert names(shelf, found.near("trip")) == {"Compass"}
    assert asked(engine) == ["trip"]
    watch.now += nearness.REST_S
    found._budget_s = 5.0
    assert names(shelf, found.near("meal")) == {"Cook"}


def arrived(found: Nearness, words: str) -> None:
    """Wait until a late vector is there."""
    deadline = time.monotonic() + 10
    while words not in found._kept and time.monotonic() < deadline:
        Event().wait(0.005)


def test_a_hanging_engine_holds_a_few_threads_and_no_search(shelf: Database) -> None:
    engine, watch = Held(), Watch()
    found = opened(shelf, engine, clock=watch, budget_s=0.001)
    for number in range(nearness.MOST_ASKED + 3):
        assert found.near(f"trip {number}") == {}
        watch.now += nearness.REST_S
    engine.let.set()
    arrived(found, f"trip {nearness.MOST_ASKED - 1}")
    assert len(asked(engine)) == nearness.MOST_ASKED


@pytest.mark.parametrize(
    ("error", "is_trusted"),
    [
        (QueueFull("Many wait.", retry_after_s=9), False),
        (BadGeneration("Text 1 has no tokens."), True),
    ],
)
def test_an_engine_that_refuses_is_left_alone_for_a_moment_but_not_for_an_odd_query(
    shelf: Database, error: Exception, *, is_trusted: bool
) -> None:
    class Refusing(Meaningful):
        def embed(self, embedding: Embedding) -> Embedded:
            if "odd" in embedding.texts:
                raise error
            return super().embed(embedding)

    engine, watch = Refusing(), Watch()
    found = opened(shelf, engine, clock=watch)
    assert found.near("odd") == {}
    assert bool(found.near("trip")) == is_trusted
    watch.now += nearness.REST_S
    assert names(shelf, found.near("meal")) == {"Cook"}


def test_vectors_of_another_model_mean_nothing(shelf: Database) -> None:
    assert opened(shelf, Meaningful("newer")).near("trip") == {}


def test_a_process_takes_up_what_is_made_and_lets_go_of_what_is_gone(shelf: Database) -> None:
    engine = Meaningful()
    found = opened(shelf, engine)
    with shelf.writing() as session:
        make_listed(session, name="Sherpa", summary="Your holiday, your trip.", description="")
    meanings.make(shelf, engine, now=utc_now())
    assert names(shelf, found.near("trip")) == {"Compass"}
    found.refresh()
    assert names(shelf, found.near("trip")) == {"Compass", "Sherpa"}
    engine.name = "newer"
    meanings.make(shelf, engine, now=utc_now())
    found.refresh()
    found._kept.clear()
    assert names(shelf, found.near("trip")) == {"Compass", "Sherpa"}
    engine.roles = ()
    meanings.make(shelf, engine, now=utc_now())
    found.refresh()
    assert found.near("meal") == {}
    assert "meal" not in asked(engine), "a store without vectors asks for none"


def test_the_first_search_of_a_process_has_it_look_for_vectors(shelf: Database) -> None:
    watch = Watch()
    found = Nearness(shelf, Meaningful(), clock=watch, budget_s=5)
    assert found.near("trip") == {} or found._vectors is not None
    deadline = time.monotonic() + 10
    while not found.near("trip") and time.monotonic() < deadline:
        Event().wait(0.005)
    assert names(shelf, found.near("trip")) == {"Compass"}


def test_a_database_that_cannot_be_read_costs_a_search_nothing(tmp_path: Path) -> None:
    broken = Database(f"sqlite:///{tmp_path / 'nothing.db'}")
    found = Nearness(broken, Meaningful())
    found._look()
    assert found.near("trip") == {}
    broken.close()


@pytest.mark.parametrize("query", ["", "   ", "\x00", "…", "x" * 10_000, "\u202e", "👩‍👩‍👧🏽"])
def test_any_query_is_answered(shelf: Database, query: str) -> None:
    assert isinstance(opened(shelf, Meaningful()).near(query), dict)


@pytest.fixture
def store(shelf: Database, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The shelf behind pages."""

    class Watching(Nearness):
        def near(self, query: str) -> Mapping[AppId, float]:
            assert shelf.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
            return super().near(query)

    found = Watching(shelf, Meaningful(), budget_s=5.0)
    found.refresh()

    def panel_for(_session: Session, _app: App, _release: Release | None) -> None:
        return None

    def has_bought(_session: Session, _app_id: AppId, _person_id: Any) -> bool:
        return False

    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    return make_store(
        shelf,
        views.blueprint(blobs, panel_for, has_bought, found),
        publishing__portal="/portal/",
        runs__start="/apps/<ident>/runs",
    )


def test_the_page_waits_for_the_engine_without_a_connection_to_the_database(store: Flask) -> None:
    client = store.test_client()
    assert "Close in meaning" in client.get("/search?q=summarise+my+contract").text
    client.set_cookie("caravan_lang", "ar")
    assert "قريب في معناه" in client.get("/search?q=summarise+my+contract").text


def test_what_is_suggested_while_one_types_follows_the_words_alone(store: Flask) -> None:
    page = store.test_client().get("/search/suggestions?q=summarise+my+contract").text
    assert "Brief" not in page


@pytest.mark.parametrize("query", ["summarise+my+contract", "breif", "brief&sort=new", "zz+ww"])
def test_the_page_keeps_to_its_budget(
    store: Flask, shelf: Database, sent: list[str], query: str
) -> None:
    sent.clear()
    assert store.test_client().get(f"/search?q={query}").status_code == 200
    assert 0 < len(sent) <= 4, "\n\n".join(sent)
