"""A seeded store: its apps are found, listed, used and run like anyone's."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, func, select

from marketplace.accounts.service import house_account
from marketplace.admin.seeding import catalogue, planting
from marketplace.catalog import queries, shelves
from marketplace.catalog.models import App, Product, Rating, Release, Use
from marketplace.catalog.pages import Filters
from marketplace.infra.db import Database
from marketplace.runs.models import Run
from tests.factories.catalog import NOON, make_listed

TODAY = NOON.date()
COUNT = 30


def plant(database: Database, count: int = COUNT, seed: int = 1) -> list[str]:
    said: list[str] = []
    planting.plant(database, count, seed=seed, today=TODAY, say=said.append)
    return said


def no_ratings(_session: Session, _app: App) -> Any:
    return None


def rows(session: Session, table: type) -> int:
    return session.exec(select(func.count()).select_from(table)).one()


def test_the_catalogue_is_in_the_store(empty_database: Database) -> None:
    said = plant(empty_database)
    assert said[-1] == f"{COUNT} of {COUNT} apps"
    made = list(catalogue.apps(COUNT, seed=1, today=TODAY))
    with empty_database.reading() as session:
        shelf = shelves.shelf(session, Filters(), number=1, locale="ar")
        assert shelf.tiles.total == COUNT
        assert rows(session, Use) == sum(len(app.uses) for app in made)
        assert rows(session, Product) == sum(app.price_micros is not None for app in made)
        assert rows(session, Rating) == sum(len(app.reviews) for app in made)
        for app in made:
            found = session.exec(select(App).where(App.ident == app.ident)).one()
            assert found.people_count == found.run_count == len(app.uses)
            hits = shelves.found(session, app.english.name, Filters(), number=1, locale="en")
            assert hits.tiles.items[0].ident == app.ident
            hits = shelves.found(session, app.arabic.name, Filters(), number=1, locale="ar")
            assert hits.tiles.items[0].name == app.arabic.name
        page = queries.app_page(
            session,
            made[0].ident,
            locale="en",
            panel_for=lambda _s, _a, release: release,
            ratings_for=no_ratings,
        )
        assert [version.version for version in page.versions][::-1] == [
            number for number, _day in made[0].versions
        ]
        assert page.permissions


def test_a_made_up_app_runs_the_code_of_one_of_the_stores_own(empty_database: Database) -> None:
    with empty_database.writing() as session:
        own = make_listed(session, owner=house_account(session, now=NOON), ident="caravan.echo")
        release = session.get_one(Release, own.current_release_id)
        release.code_key = "c" * 64
    assert "cannot be run" not in " ".join(plant(empty_database))
    with empty_database.reading() as session:
        made = session.exec(select(App).where(App.ident != "caravan.echo")).all()
        released = [session.get_one(Release, app.current_release_id) for app in made]
        assert {each.code_key for each in released} == {"c" * 64}
        runs = session.exec(select(Run)).all()
        assert runs
        assert all(NOON - run.created_at < timedelta(days=planting.RUN_DAYS) for run in runs)


def test_without_apps_of_its_own_the_store_says_what_is_missing(empty_database: Database) -> None:
    assert "cannot be run" in plant(empty_database, 3)[0]


def test_a_store_is_seeded_once(empty_database: Database) -> None:
    plant(empty_database, 3)
    with pytest.raises(planting.AlreadySeeded):
        plant(empty_database, 3)
    with pytest.raises(planting.AlreadySeeded):
        plant(empty_database, 3, seed=2)


def test_more_apps_than_can_be_told_apart_are_refused(empty_database: Database) -> None:
    with pytest.raises(planting.TooMany, match="120000"):
        plant(empty_database, catalogue.most_apps() + 1)
