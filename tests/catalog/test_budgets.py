"""How many statements a page may send, however many apps, ratings and versions there are."""

import pytest
from flask import Flask
from sqlmodel import Session, select

from marketplace.billing import queries as billing
from marketplace.catalog import (
    editorial,
    ratings,
    service,
    views,
    views_collections,
    views_ratings,
)
from marketplace.catalog.editorial import Draft
from marketplace.catalog.models import App, ListingText, Release, ReleaseState
from marketplace.catalog.ratings import Opinion
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId, AppId
from marketplace.runs import queries as runs
from marketplace.runs.pages import Panel
from tests.factories.accounts import make_account
from tests.factories.catalog import NOON, make_listed, make_product, make_release
from tests.factories.pages import make_store, sign_in
from tests.factories.runs import VAULT

BUDGETS = {
    "/": 8,
    "/collections": 4,
    "/collections/echoes": 4,
    "/search?q=echo": 4,
    "/search/suggestions?q=ehco": 4,
    "/search?q=ehco": 4,
    "/search": 4,
    "/apps/tests.echo": 8,
}


def panel_for(session: Session, app: App, release: Release | None) -> Panel:
    return runs.panel(session, app, release, VAULT, person_id=None, unavailable=None)


@pytest.fixture
def store(empty_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """A store in which everything that a page may show is there."""
    with empty_database.writing() as session:
        for number in range(12):
            app = make_listed(
                session, ident=f"tests.echo{'' if number == 0 else number}", name=f"Echo {number}"
            )
            make_product(session, app)
            make_release(session, app=app, version="0.9.0", state=ReleaseState.PUBLISHED)
            session.add(ListingText(app_id=app.id, locale="ar", name="صدى", summary="يعيد."))
            person = AccountId(make_account(session).id)
            service.count_run(session, AppId(app.id), person, now=NOON)
            session.refresh(app)
            ratings.rate(
                session,
                app,
                Opinion(4, "Good.", "en"),
                person_id=person,
                has_bought=billing.has_bought,
                now=NOON,
            )
        echoes = ["tests.echo", "tests.echo1", "tests.echo2"]
        editorial.make(session, Draft({"en": {"title": "Echoes"}}, echoes), now=NOON)
    return make_store(
        empty_database,
        views.blueprint(Blobs(tmp_path_factory.mktemp("blobs")), panel_for, billing.has_bought),
        views_ratings.blueprint(billing.has_bought),
        views_collections.bp,
        publishing__portal="/portal/",
        runs__start="/apps/<ident>/runs",
        billing__checkout="/checkout/<product_id>",
    )


@pytest.mark.parametrize("locale", ["en", "ar"])
@pytest.mark.parametrize(("path", "most"), BUDGETS.items())
def test_a_page_keeps_to_its_budget(
    store: Flask, sent: list[str], path: str, most: int, locale: str
) -> None:
    client = store.test_client()
    client.set_cookie("caravan_lang", locale)
    sent.clear()
    assert client.get(path).status_code == 200
    assert 0 < len(sent) <= most, "\n\n".join(sent)


def test_the_first_page_of_a_person_who_has_run_apps_keeps_to_its_budget(
    store: Flask, sent: list[str], empty_database: Database
) -> None:
    client = store.test_client()
    lina = sign_in(empty_database, client)
    with empty_database.writing() as session:
        app = session.exec(select(App).where(App.ident == "tests.echo")).one()
        service.count_run(session, AppId(app.id), AccountId(lina.id), now=utc_now())
    sent.clear()
    assert "Because you ran Echo 0" in client.get("/").text
    assert len(sent) <= BUDGETS["/"], "\n\n".join(sent)
