"""Collections: what operators write, and what everybody sees of it."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import Session, select

from marketplace.catalog import editorial, queries_collections, views_collections
from marketplace.catalog.editorial import BadApps, Draft
from marketplace.catalog.models import App, AppState, Collection, CollectionEntry
from marketplace.infra.db import Database
from marketplace.kernel.ids import new_id
from marketplace.settings import ROOT
from tests.factories.catalog import NOON, make_app, make_listed
from tests.factories.pages import make_store, send, sign_in

DESK = "/admin/collections"
NEW = f"{DESK}/new"
TEXTS = {"en": {"title": "Strings", "lead": "What is plucked."}, "ar": {"title": "أوتار"}}


@pytest.fixture(scope="module")
def app(database: Database) -> Flask:
    """Made once: compiling its templates takes longer than the tests."""
    return make_store(database, views_collections.bp, catalog__search="/search")


@pytest.fixture
def desk(client: FlaskClient, database: Database) -> FlaskClient:
    """An operator's browser, in a store with three apps."""
    with database.writing() as session:
        for name in ("oud", "ney", "daf"):
            make_listed(session, ident=f"tests.{name}", name=name.capitalize())
    sign_in(database, client, is_operator=True)
    return client


def only(database: Database) -> Collection:
    with database.reading() as session:
        return session.exec(select(Collection)).one()


def test_an_operator_writes_a_collection_and_everybody_sees_it(
    desk: FlaskClient, database: Database
) -> None:
    answer = send(
        desk,
        NEW,
        DESK,
        title_en=" Strings ",
        lead_en="What is plucked.",
        title_ar="أوتار",
        apps="http://localhost/apps/tests.ney?lang=ar\ntests.oud\ntests.ney",
        is_shown="true",
    )
    assert (answer.status_code, answer.location) == (303, DESK)
    assert "/collections/strings" in desk.get("/collections").text
    page = desk.get("/collections/strings?lang=ar").text
    assert "أوتار" in page
    assert "What is plucked." in page, "what is not translated is in English"
    assert page.index("/apps/tests.ney") < page.index("/apps/tests.oud")
    form = desk.get(f"{DESK}/{only(database).id}").text
    assert "tests.ney\ntests.oud</textarea>" in form


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"title_en": ""}, "Please fill this in."),
        ({"title_en": "T" * 61}, "Use at most 60 characters."),
        ({"lead_ar": "ل" * 161}, "Use at most 160 characters."),
        ({"apps": ""}, "Give at least one app."),
        ({"apps": "tests.oud tests.ghost"}, "There is no app “tests.ghost”."),
        ({"apps": " ".join(f"a.b{n}" for n in range(51))}, "Give at most 50 apps; this has 51."),
        ({"is_hero": "maybe"}, "choose one of its possibilities"),
        ({"title_tlh": "tlhIngan"}, "choose one of its possibilities"),
    ],
)
def test_a_form_that_is_wrong_says_so_and_loses_nothing(
    desk: FlaskClient, database: Database, sent: dict[str, str], sentence: str
) -> None:
    good = {"title_en": "Strings", "lead_en": "What is <plucked>.", "apps": "tests.oud"}
    answer = send(desk, NEW, DESK, **{**good, **sent})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "What is &lt;plucked&gt;." in answer.text
    with database.reading() as session:
        assert session.exec(select(Collection)).all() == []


def test_a_collection_is_changed_hidden_and_deleted(desk: FlaskClient, database: Database) -> None:
    with database.writing() as session:
        made = editorial.make(session, Draft(TEXTS, ["tests.oud", "tests.ney"]), now=NOON).id
    address = f"{DESK}/{made}"
    send(desk, address, title_en="Winds", apps="tests.ney tests.daf")
    assert only(database).key == "strings", "an address that people have stays"
    assert desk.get("/collections/strings").status_code == 404, "it is not shown"
    assert "Not shown" in desk.get(DESK).text
    send(desk, address, title_en="Winds", apps="tests.ney", is_shown="true")
    page = desk.get("/collections/strings").text
    assert "Winds" in page
    assert "tests.oud" not in page
    assert send(desk, address, f"{address}/delete").status_code == 303
    assert desk.get("/collections/strings").status_code == 404
    assert send(desk, NEW, f"{address}/delete").status_code == 404
    with database.reading() as session:
        assert session.exec(select(CollectionEntry)).all() == []
        assert len(session.exec(select(App)).all()) == 3


def test_only_operators_come_to_the_desk(client: FlaskClient, database: Database) -> None:
    assert client.get(DESK).status_code == 303
    sign_in(database, client, is_developer=True)
    for path in (DESK, NEW, f"{DESK}/{new_id()}"):
        assert client.get(path).status_code == 403


def test_what_an_operator_writes_is_shown_as_text(desk: FlaskClient) -> None:
    send(desk, NEW, DESK, title_en="<b>\u202eBold", apps="tests.oud", is_shown="true")
    page = desk.get("/collections").text
    assert "<b>Bold" not in page
    assert "&lt;b&gt;Bold" in page
    assert "\u202e" not in page


def collections(session: Session) -> list[tuple[str, bool]]:
    rows = queries_collections.rows(session, locale="en")
    return [(row.key, row.is_hero) for row in rows]


def test_one_collection_leads_and_each_has_an_address_of_its_own(session: Session) -> None:
    ident = make_app(session).ident
    made = [
        editorial.make(session, Draft({"en": {"title": title}}, [ident], is_hero=True), now=NOON)
        for title in ("Night", "Night", "قمر")
    ]
    expected = [("night", False), ("night-2", False), ("collection", True)]
    session.expire_all()
    assert collections(session) == expected
    editorial.move_up(session, made[2].id)
    editorial.move_up(session, made[2].id)
    editorial.move_up(session, made[2].id)
    assert [key for key, _is_hero in collections(session)] == ["collection", "night", "night-2"]


def test_an_app_that_was_taken_down_cannot_be_chosen(session: Session) -> None:
    ident = make_app(session, state=AppState.BLOCKED).ident
    with pytest.raises(BadApps, match="There is no app"):
        editorial.make(session, Draft({"en": {"title": "Night"}}, [ident]), now=NOON)


def test_a_new_store_opens_with_collections_of_the_apps_it_ships(session: Session) -> None:
    file = ROOT / "plugins" / "collections.toml"
    editorial.open_with(session, file, now=NOON)
    assert collections(session) == [], "without their apps there is nothing to show"
    for place in (ROOT / "plugins").glob("*/caravan.toml"):
        ident = next(
            line.split('"')[1] for line in place.read_text().splitlines() if line[:5] == "id = "
        )
        make_app(session, ident=ident)
    editorial.open_with(session, file, now=NOON)
    editorial.open_with(session, file, now=NOON)
    made = queries_collections.shown(session)
    assert len(made) == len(collections(session)) == 3
    assert [len(each.app_ids) for each in made] == [4, 4, 4]
    assert all(
        set(each.collection.texts) == {"en", "ar"} and all(each.collection.texts["ar"].values())
        for each in made
    )


def test_a_file_of_collections_leaves_out_what_is_not_there(
    session: Session, tmp_path: Path
) -> None:
    make_app(session, ident="tests.oud")
    file = tmp_path / "collections.toml"
    file.write_text(
        '[[collection]]\nkey = "strings"\napps = ["tests.gone", "tests.oud"]\n'
        '[collection.texts.en]\ntitle = "Strings"\n'
    )
    editorial.open_with(session, file, now=NOON)
    [made] = queries_collections.shown(session)
    assert queries_collections.idents(session, made.collection.id) == ["tests.oud"]
