"""The storefront as a browser gets it, in both reading directions."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.accounts.models import Account
from marketplace.catalog import service, shelves
from marketplace.catalog.models import App, ListingText, Release
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId, AppId
from tests.factories.catalog import make_listed, make_product
from tests.factories.pages import sign_in
from tests.factories.storefront import make_storefront


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Blobs:
    return Blobs(tmp_path_factory.mktemp("blobs"))


@pytest.fixture(scope="module")
def app(database: Database, store: Blobs) -> Flask:
    """Made once: compiling its templates takes longer than the tests."""
    return make_storefront(database, store)


def listed(database: Database, **given: Any) -> App:
    """An app in the store; one whose `arabic` is given has Arabic texts."""
    arabic = given.pop("arabic", None)
    with database.writing() as session:
        app = make_listed(session, **{"ident": "tests.echo", "name": "Echo", **given})
        if arabic:
            session.add(
                ListingText(
                    app_id=app.id, locale="ar", name=arabic, summary="يعيد.", description="نص."
                )
            )
        return app


def test_an_empty_store_says_what_to_do(client: FlaskClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "empty-state" in page.text
    assert client.get("/search").status_code == 200
    assert client.get("/categories/fun").status_code == 200


def test_the_first_page_shows_apps_and_shelves(client: FlaskClient, database: Database) -> None:
    listed(database)
    page = client.get("/").text
    assert 'href="/apps/tests.echo"' in page
    assert 'href="/categories/fun"' in page


def test_the_first_page_follows_what_a_person_ran_unless_they_do_not_want_it(
    client: FlaskClient, database: Database
) -> None:
    lina = sign_in(database, client, email="lina@example.org")
    with database.writing() as session:
        apps = [make_listed(session, name=name) for name in ("Oud", "Ney", "Daf")]
        service.count_run(session, AppId(apps[0].id), AccountId(lina.id), now=utc_now())
    assert "Because you ran Oud" in client.get("/").text
    with database.writing() as session:
        session.get_one(Account, lina.id).has_own_rows = False
    assert "Because you ran" not in client.get("/").text
    client.delete_cookie("caravan")
    assert "Because you ran" not in client.get("/").text


def test_a_search_has_its_results_where_typing_renews_them(
    client: FlaskClient, database: Database
) -> None:
    listed(database)
    page = client.get("/search?q=ecoh%20echo").text
    assert 'id="results"' in page
    assert 'href="/apps/tests.echo"' in client.get("/search?q=echo").text
    nothing = client.get("/search?q=zzzz").text
    assert 'href="/apps/tests.echo"' not in nothing
    assert "empty-state" in nothing


def test_a_search_field_is_answered_while_its_words_are_typed(
    client: FlaskClient, database: Database
) -> None:
    for number in range(shelves.SUGGESTED + 1):
        listed(database, ident=f"tests.echo{number}", name=f"Echo <b>{number}")
    found = client.get("/search/suggestions?q=ech").text
    assert found.count('role="option"') == shelves.SUGGESTED
    assert 'data-href="/apps/tests.echo' in found
    assert "<b>" not in found
    for nothing in ("", "   ", "zzzz", "%", '"' * 300):
        answer = client.get("/search/suggestions", query_string={"q": nothing})
        assert (answer.status_code, answer.text.strip()) == (200, "")


def test_what_was_asked_is_shown_as_text(client: FlaskClient) -> None:
    page = client.get("/search?q=%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize("path", ["/search?page=0", "/search?page=-3", "/search?page=x"])
def test_a_page_number_that_is_none_is_the_first(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/apps/no.such-app", "/categories/none", f"/developers/{UUID(int=7)}"],
)
def test_what_is_not_there_is_a_page_that_says_so(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_an_app_page_has_its_form_its_text_and_no_script_of_its_writer(
    client: FlaskClient, database: Database
) -> None:
    listed(
        database,
        name="Echo <b>bold</b>",
        description="**Loud** <script>alert(1)</script> [link](javascript:alert(1))",
    )
    page = client.get("/apps/tests.echo").text
    assert 'name="text"' in page
    assert "<strong>Loud</strong>" in page
    assert "<script>alert" not in page
    assert 'href="javascript' not in page
    assert "<b>bold" not in page


def test_an_app_page_in_arabic_is_from_right_to_left(
    client: FlaskClient, database: Database
) -> None:
    listed(database, arabic="صدى")
    page = client.get("/apps/tests.echo?lang=ar").text
    assert '<html lang="ar" dir="rtl"' in page
    assert "صدى" in page


def test_a_price_is_shown(client: FlaskClient, database: Database) -> None:
    app = listed(database)
    with database.writing() as session:
        make_product(session, app)
    assert "$4.99" in client.get("/apps/tests.echo").text
    assert "$4.99" in client.get("/search").text


def test_a_developer_has_a_page(client: FlaskClient, database: Database) -> None:
    app = listed(database)
    assert 'href="/apps/tests.echo"' in client.get(f"/developers/{app.owner_id}").text


def test_an_icon_can_run_nothing(client: FlaskClient, database: Database, store: Blobs) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    listed(database, icon_key=store.put(svg), icon_type="image/svg+xml")
    answer = client.get("/apps/tests.echo/icon")
    assert (answer.data, answer.mimetype) == (svg, "image/svg+xml")
    policy = answer.headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = client.get("/apps/tests.echo/icon", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_screenshots_stand_on_the_page_as_links_with_their_captions(
    client: FlaskClient, database: Database, store: Blobs
) -> None:
    app = listed(database)
    key, other = store.put(b"a picture"), store.put(b"another app's")
    captions = {"en": "An echo", "ar": "صدى"}
    with database.writing() as session:
        release = session.exec(select(Release).where(Release.app_id == app.id)).one()
        release.screenshots = [{"key": key, "width": 8, "height": 4, "captions": captions}]
    address = f"/apps/tests.echo/screenshots/{key}"
    page = client.get("/apps/tests.echo").text
    assert f'<a href="{address}"><img src="{address}" width="8" height="4" alt="An echo"' in page
    assert 'alt="صدى"' in client.get("/apps/tests.echo?lang=ar").text
    answer = client.get(address)
    assert (answer.data, answer.mimetype) == (b"a picture", "image/webp")
    assert answer.headers["Content-Security-Policy"].endswith("sandbox")
    assert client.get(f"/apps/tests.echo/screenshots/{other}").status_code == 404


def test_an_app_without_an_icon_gets_one_drawn(client: FlaskClient, database: Database) -> None:
    listed(database)
    answer = client.get("/apps/tests.echo/icon")
    assert answer.mimetype == "image/svg+xml"
    assert answer.text.startswith("<svg")
