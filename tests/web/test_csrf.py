"""Forms from other sites are refused, in every way a browser could be made to send them."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from marketplace.web import csrf
from tests.web.small_app import People, make_actor


@pytest.fixture(autouse=True)
def _views(app: Flask) -> None:
    app.add_url_rule("/form", "form", csrf.field)
    app.add_url_rule("/send", "send", lambda: "taken", methods=["POST", "PUT", "DELETE"])
    app.add_url_rule("/api/v1/send", "api_send", lambda: "taken", methods=["POST"])


def token(client: FlaskClient) -> str:
    found = re.search(r'value="([0-9a-f]+)"', client.get("/form").text)
    assert found
    return found[1]


def test_a_form_of_ours_is_taken_from_field_or_header(client: FlaskClient) -> None:
    ours = token(client)
    assert client.post("/send", data={"csrf_token": ours}).status_code == 200
    assert client.post("/send", headers={"X-CSRF-Token": ours}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_form_without_a_token_is_refused(client: FlaskClient, method: str) -> None:
    token(client)
    assert client.open("/send", method=method).status_code == 403


@pytest.mark.parametrize("sent", ["", "0" * 64, "é", "\x00", "f" * 100_000])
def test_a_wrong_token_is_refused(client: FlaskClient, sent: str) -> None:
    token(client)
    answer = client.post("/send", data={"csrf_token": sent[:60_000]})
    assert answer.status_code == 403
    assert "reload it" in answer.text


def test_a_token_is_worthless_in_another_browser(app: Flask, client: FlaskClient) -> None:
    other = app.test_client()
    token(other)
    assert other.post("/send", data={"csrf_token": token(client)}).status_code == 403


def test_a_token_is_bound_to_the_session(client: FlaskClient) -> None:
    before = token(client)
    client.set_cookie("caravan", "a session")
    assert client.post("/send", data={"csrf_token": before}).status_code == 403
    assert client.post("/send", data={"csrf_token": token(client)}).status_code == 200


def test_a_token_of_another_store_is_worthless(app: Flask, client: FlaskClient) -> None:
    ours = token(client)
    app.config["SECRET_KEY"] = "another key"
    assert client.post("/send", data={"csrf_token": ours}).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_is_refused_even_with_the_token(client: FlaskClient, site: str) -> None:
    ours = token(client)
    answer = client.post("/send", data={"csrf_token": ours}, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403
    assert "another site" in answer.text


def test_a_program_with_a_token_of_its_own_needs_none(client: FlaskClient, people: People) -> None:
    people.tokens["good"] = make_actor()
    bearer = {"Authorization": "Bearer good"}
    assert client.post("/api/v1/send", headers=bearer).status_code == 200
    without = client.post("/api/v1/send")
    assert (without.status_code, "Bearer" in without.get_json()["detail"]) == (401, True)


def test_a_bearer_header_opens_no_page(client: FlaskClient) -> None:
    client.set_cookie("caravan", "a session")
    bearer = {"Authorization": "Bearer anything"}
    assert client.post("/send", headers=bearer).status_code == 403
