"""Who is asking, and the doors that need somebody."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from marketplace.web.auth import (
    Role,
    TokenScope,
    actor,
    actor_id,
    developer_only,
    operator_only,
    signed_in_only,
)
from tests.web.small_app import People, make_actor


@pytest.fixture(autouse=True)
def _views(app: Flask) -> None:
    app.add_url_rule("/accounts/sign-in", "accounts.sign_in", lambda: "sign in")
    app.add_url_rule("/who", "who", lambda: {"found": bool(actor())})
    app.add_url_rule("/id", "id", lambda: str(actor_id()))
    for name, door in (
        ("person", signed_in_only),
        ("developer", developer_only),
        ("operator", operator_only),
    ):
        app.add_url_rule(f"/{name}", name, door(lambda: "in"))
        app.add_url_rule(f"/api/v1/{name}", f"api_{name}", door(lambda: "in"))


def test_a_visitor_is_nobody_and_costs_no_query(client: FlaskClient) -> None:
    assert client.get("/who").get_json() == {"found": False}
    assert client.get("/id").status_code == 401


def test_a_cookie_or_a_token_says_who(client: FlaskClient, people: People) -> None:
    lina = people.sessions["cookie"] = make_actor()
    client.set_cookie("caravan", "cookie")
    assert client.get("/id").text == str(lina.id)


def test_a_page_sends_a_visitor_to_sign_in_and_back(client: FlaskClient) -> None:
    answer = client.get("/person?page=2&q=a%26b")
    assert answer.status_code == 303
    assert answer.location == "/accounts/sign-in?next=/person?page%3D2%26q%3Da%2526b"


def test_the_api_says_so_instead(client: FlaskClient) -> None:
    answer = client.get("/api/v1/person")
    assert answer.status_code == 401
    assert answer.get_json()["detail"] == "Please sign in first."
    wrong = client.get("/api/v1/person", headers={"Authorization": "Bearer old"})
    assert "token is not valid" in wrong.get_json()["detail"]


@pytest.mark.parametrize(
    ("roles", "open_doors"),
    [
        ((), {"person"}),
        ((Role.DEVELOPER,), {"person", "developer"}),
        ((Role.OPERATOR,), {"person", "operator"}),
    ],
)
def test_each_door_opens_for_its_role_alone(
    client: FlaskClient, people: People, roles: tuple[Role, ...], open_doors: set[str]
) -> None:
    people.sessions["cookie"] = make_actor(*roles)
    client.set_cookie("caravan", "cookie")
    for door in ("person", "developer", "operator"):
        assert client.get(f"/{door}").status_code == (200 if door in open_doors else 403)


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic good", "good", "bearer  good "])
def test_only_a_bearer_token_is_one(client: FlaskClient, people: People, header: str) -> None:
    people.tokens["good"] = make_actor()
    answer = client.get("/api/v1/person", headers={"Authorization": header})
    assert answer.status_code == (200 if header == "bearer  good " else 401)


def test_a_token_that_is_wrong_is_not_made_good_by_a_cookie(
    client: FlaskClient, people: People
) -> None:
    people.sessions["cookie"] = make_actor()
    client.set_cookie("caravan", "cookie")
    assert client.get("/api/v1/person").status_code == 200
    answer = client.get("/api/v1/person", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("scopes", "open_doors"),
    [
        ((), set()),
        ((TokenScope.PUBLISH,), {"developer"}),
        ((TokenScope.RUN,), {"person"}),
        (tuple(TokenScope), {"person", "developer"}),
    ],
)
def test_each_door_opens_for_tokens_of_its_scope_alone(
    client: FlaskClient, people: People, scopes: tuple[TokenScope, ...], open_doors: set[str]
) -> None:
    people.tokens["good"] = make_actor(Role.DEVELOPER, via_token=True, scopes=frozenset(scopes))
    for door in ("person", "developer"):
        answer = client.get(f"/api/v1/{door}", headers={"Authorization": "Bearer good"})
        if door in open_doors:
            assert answer.status_code == 200
        else:
            assert (answer.status_code, answer.get_json()["rule"]) == (403, "token.scope")
