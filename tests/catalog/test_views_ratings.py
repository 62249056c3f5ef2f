"""Ratings as a browser writes and reads them."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.catalog import service
from marketplace.catalog.models import App, Rating, RatingFlag, RatingState
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.kernel.ids import AccountId, AppId
from tests.factories.accounts import make_account
from tests.factories.catalog import NOON, make_listed
from tests.factories.pages import send, sign_in
from tests.factories.storefront import make_storefront

PAGE = "/apps/tests.echo"


@pytest.fixture(scope="module")
def app(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """Made once: compiling its templates takes longer than the tests."""
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    return make_storefront(database, blobs)


def listed(database: Database) -> App:
    with database.writing() as session:
        return make_listed(session, ident="tests.echo", name="Echo")


def somebody(database: Database, client: FlaskClient, app: App, **given: Any) -> AccountId:
    """A person who has run the app, signed in."""
    person = sign_in(database, client, **given)
    with database.writing() as session:
        service.count_run(session, AppId(app.id), AccountId(person.id), now=NOON)
    return AccountId(person.id)


def written(database: Database) -> Rating:
    with database.reading() as session:
        return session.exec(select(Rating)).one()


def test_a_rating_is_written_shown_and_changed(client: FlaskClient, database: Database) -> None:
    listed_app = listed(database)
    somebody(database, client, listed_app, name="Lina")
    answer = send(client, PAGE, f"{PAGE}/rating", stars="4", words="Plain\nand quick. <b>")
    assert (answer.status_code, answer.location) == (303, f"{PAGE}#ratings")
    page = client.get(PAGE).text
    assert "Thank you. Your rating counts." in page
    assert "Plain\nand quick. &lt;b&gt;" in page
    assert "Lina" in page
    send(client, PAGE, f"{PAGE}/rating", stars="2")
    assert (written(database).stars, written(database).words) == (2, "")
    send(client, PAGE, f"{PAGE}/rating/withdraw")
    with database.reading() as session:
        assert session.exec(select(Rating)).all() == []


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"stars": "0"},
        {"stars": "6"},
        {"stars": "five"},
        {"stars": "3", "words": "x" * 2001},
        {"stars": "3", "more": "1"},
    ],
)
def test_a_form_that_does_not_fit_is_refused(
    client: FlaskClient, database: Database, fields: dict[str, str]
) -> None:
    somebody(database, client, listed(database))
    assert send(client, PAGE, f"{PAGE}/rating", **fields).status_code == 422
    with database.reading() as session:
        assert session.exec(select(Rating)).all() == []


def test_characters_that_turn_the_text_around_them_are_left_out(
    client: FlaskClient, database: Database
) -> None:
    somebody(database, client, listed(database))
    send(client, PAGE, f"{PAGE}/rating", stars="3", words="a\u202eb\u2066c\x00d\ne")
    assert written(database).words == "abcd\ne"


def test_who_is_not_signed_in_or_has_not_run_it_cannot_rate(
    client: FlaskClient, database: Database
) -> None:
    listed(database)
    door = "/accounts/sign-in"
    assert send(client, door, f"{PAGE}/rating", stars="5").status_code == 401
    sign_in(database, client)
    assert "star-choice" not in client.get(PAGE).text
    assert send(client, PAGE, f"{PAGE}/rating", stars="5").status_code == 403


def test_others_vote_flag_and_the_developer_replies(
    client: FlaskClient, app: Flask, database: Database
) -> None:
    echo = listed(database)
    somebody(database, client, echo)
    send(client, PAGE, f"{PAGE}/rating", stars="2", words="Hm.")
    rating = written(database)
    reader = app.test_client()
    sign_in(database, reader)
    assert send(reader, PAGE, f"/reviews/{rating.id}/helpful").status_code == 303
    assert "(1)" in reader.get(PAGE).text
    assert send(reader, PAGE, f"/reviews/{rating.id}/flag", kind="noise").status_code == 422
    assert send(reader, PAGE, f"/reviews/{rating.id}/flag", kind="abuse").status_code == 303
    assert send(reader, PAGE, f"/reviews/{rating.id}/reply", words="No.").status_code == 403
    with database.reading() as session:
        assert session.exec(select(RatingFlag)).one().kind == "abuse"
    with database.writing() as session:
        session.get_one(App, echo.id).owner_id = AccountId(make_account(session).id)
    maker = app.test_client()
    owner = sign_in(database, maker)
    with database.writing() as session:
        session.get_one(App, echo.id).owner_id = AccountId(owner.id)
    assert send(maker, PAGE, f"/reviews/{rating.id}/reply", words="Sorry!").status_code == 303
    assert "Sorry!" in client.get(PAGE).text


def test_an_operator_removes_a_review_and_its_writer_reads_why(
    client: FlaskClient, app: Flask, database: Database
) -> None:
    somebody(database, client, listed(database))
    send(client, PAGE, f"{PAGE}/rating", stars="1", words="My neighbour wrote this.")
    rating = written(database)
    reader, operator = app.test_client(), app.test_client()
    sign_in(database, reader)
    send(reader, PAGE, f"/reviews/{rating.id}/flag", kind="private")
    assert reader.get("/reviews/waiting").status_code == 403
    sign_in(database, operator, is_operator=True)
    desk = "/reviews/waiting"
    assert "My neighbour" in operator.get(desk).text
    decision = f"/reviews/{rating.id}/decision"
    assert send(operator, desk, decision, removes="yes").status_code == 422
    assert send(operator, desk, decision, removes="yes", reason="A name.").status_code == 303
    assert written(database).state is RatingState.REMOVED
    page = client.get(PAGE).text
    assert "A name." in page
    assert "My neighbour" not in reader.get(PAGE).text
    assert "empty-state" in operator.get(desk).text


def test_every_review_has_a_page(client: FlaskClient, database: Database) -> None:
    somebody(database, client, listed(database))
    send(client, PAGE, f"{PAGE}/rating", stars="5", words="Quick.")
    assert "Quick." in client.get(f"{PAGE}/reviews?stars=5").text
    assert "Quick." not in client.get(f"{PAGE}/reviews?stars=1").text
    for odd in ("?stars=9", "?stars=x", "?page=0", "?page=99999999999999999999"):
        assert client.get(f"{PAGE}/reviews{odd}").status_code == 200
    assert client.get("/apps/no.such/reviews").status_code == 404
