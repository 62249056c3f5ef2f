"""The pages of accounts, walked as a browser does: cookies, form tokens, redirects."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from marketplace.accounts import service
from marketplace.accounts.models import Account
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from tests.factories.accounts import PASSWORD, make_account, make_session, make_token
from tests.factories.pages import make_store

pytestmark = pytest.mark.usefixtures("cheap_hashing")

TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]{64})"')


@pytest.fixture(scope="module")
def app(database: Database) -> Flask:
    """Made once: compiling its templates takes longer than the tests."""
    return make_store(database)


def person(database: Database, client: FlaskClient, **given: object) -> Account:
    """An account that is signed in with this client."""
    with database.writing() as session:
        account = make_account(session, **given)
        client.set_cookie("caravan", make_session(session, account, now=utc_now()))
    return account


def send(client: FlaskClient, page: str, action: str | None = None, **fields: str) -> TestResponse:
    """Open a page, then send a form of it with its token, as a browser would."""
    [token, *_] = TOKEN.findall(client.get(page).text)
    return client.post(action or page, data={**fields, "csrf_token": token})


def whoami(client: FlaskClient) -> dict[str, object]:
    found: dict[str, object] = client.get("/api/v1/whoami").get_json()
    return found


NEW = {"name": "Lina", "email": "lina@example.org", "password": PASSWORD}


def test_signing_up_signs_in_and_goes_on(client: FlaskClient) -> None:
    answer = send(client, "/accounts/sign-up?next=/runs", "/accounts/sign-up", **NEW, next="/runs")
    assert (answer.status_code, answer.location) == (303, "/runs")
    assert whoami(client)["email"] == "lina@example.org"
    [cookie] = [c for c in answer.headers.getlist("Set-Cookie") if c.startswith("caravan=")]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_behind_https_the_cookie_belongs_to_this_host_alone(
    app: Flask, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "SECURE_COOKIES", True)
    client = app.test_client()
    [token, *_] = TOKEN.findall(client.get("/accounts/sign-up", base_url="https://localhost").text)
    answer = client.post(
        "/accounts/sign-up", data={**NEW, "csrf_token": token}, base_url="https://localhost"
    )
    [cookie] = [c for c in answer.headers.getlist("Set-Cookie") if "__Host-caravan=" in c]
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_a_refused_form_comes_back_with_what_was_typed_but_no_password(
    client: FlaskClient,
) -> None:
    answer = send(
        client, "/accounts/sign-up", name="<Lina>", email="lina", password="secret-word-here"
    )
    assert answer.status_code == 422
    assert 'value="&lt;Lina&gt;"' in answer.text
    assert 'value="lina"' in answer.text
    assert "secret-word-here" not in answer.text
    assert "Write the e-mail address like name@example.org." in answer.text
    assert "aria-invalid" in answer.text


def test_a_taken_address_is_said_beside_the_field(
    client: FlaskClient, empty_database: Database
) -> None:
    with empty_database.writing() as session:
        make_account(session, email="lina@example.org")
    answer = send(client, "/accounts/sign-up", **NEW)
    assert answer.status_code == 422
    assert "already an account" in answer.text


def test_signing_in_goes_where_the_person_wanted_to_go(
    client: FlaskClient, empty_database: Database
) -> None:
    with empty_database.writing() as session:
        make_account(session, email="lina@example.org", is_developer=True)
    wanted = client.get("/portal/tokens")
    assert wanted.status_code == 303
    page = client.get(wanted.location)
    assert 'name="next" value="/portal/tokens"' in page.text
    answer = send(
        client,
        wanted.location,
        "/accounts/sign-in",
        email="lina@example.org",
        password=PASSWORD,
        next="/portal/tokens",
    )
    assert (answer.status_code, answer.location) == (303, "/portal/tokens")
    assert client.get("/portal/tokens").status_code == 200


@pytest.mark.parametrize("away", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_signing_in_leads_nobody_away(
    client: FlaskClient, empty_database: Database, away: str
) -> None:
    with empty_database.writing() as session:
        make_account(session, email="lina@example.org")
    answer = send(
        client, "/accounts/sign-in", email="lina@example.org", password=PASSWORD, next=away
    )
    assert (answer.status_code, answer.location) == (303, "/")
    again = client.get("/accounts/sign-in", query_string={"next": away})
    assert (again.status_code, again.location) == (303, "/")


def test_a_wrong_password_is_remembered_though_the_answer_is_an_error(
    client: FlaskClient, empty_database: Database
) -> None:
    with empty_database.writing() as session:
        make_account(session, email="lina@example.org")
    for _ in range(10):
        answer = send(client, "/accounts/sign-in", email="lina@example.org", password="wrong")
        assert answer.status_code == 422
    answer = send(client, "/accounts/sign-in", email="lina@example.org", password=PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 300


def test_signing_in_makes_old_form_tokens_worthless(
    client: FlaskClient, empty_database: Database
) -> None:
    [before, *_] = TOKEN.findall(client.get("/accounts/sign-in").text)
    person(empty_database, client)
    answer = client.post("/accounts/sign-out", data={"csrf_token": before})
    assert answer.status_code == 403


def test_signing_out_ends_the_session_on_the_server_too(
    client: FlaskClient, empty_database: Database
) -> None:
    person(empty_database, client)
    secret = client.get_cookie("caravan")
    assert secret is not None
    assert send(client, "/accounts/settings", "/accounts/sign-out").status_code == 303
    assert client.get_cookie("caravan") is None
    client.set_cookie("caravan", secret.value)
    assert client.get("/api/v1/whoami").status_code == 401


def test_signing_out_everywhere_asks_for_the_password_again(
    client: FlaskClient, empty_database: Database
) -> None:
    account = person(empty_database, client)
    with empty_database.writing() as session:
        secret = make_token(session, account, now=utc_now()).secret
    headers = {"Authorization": f"Bearer {secret}"}
    assert client.get("/api/v1/whoami", headers=headers).status_code == 200
    answer = send(client, "/accounts/settings", "/accounts/sign-out-everywhere")
    assert (answer.status_code, answer.location) == (303, "/accounts/sign-in")
    assert client.get("/accounts/settings").location.startswith("/accounts/sign-in")
    assert client.get("/api/v1/whoami", headers=headers).status_code == 401


def test_the_operators_link_makes_one_operator(
    client: FlaskClient, empty_database: Database
) -> None:
    with empty_database.writing() as session:
        secret = service.first_setup_secret(session, now=utc_now())
    page = f"/accounts/setup/{secret}"
    weak = send(client, page, **{**NEW, "password": "password123"})
    assert weak.status_code == 422
    assert "Many people use this password" in weak.text
    answer = send(client, page, **NEW)
    assert (answer.status_code, answer.location) == (303, "/admin/")
    assert whoami(client)["roles"] == ["developer", "operator", "shopper"]
    assert client.get(page).status_code == 404


def test_a_made_up_link_is_not_found(client: FlaskClient, empty_database: Database) -> None:
    answer = client.get("/accounts/setup/let-me-in")
    assert answer.status_code == 404
    assert "marketplace setup-link" in answer.text
    [token, *_] = TOKEN.findall(client.get("/accounts/sign-in").text)
    sent = client.post("/accounts/setup/let-me-in", data={**NEW, "csrf_token": token})
    assert sent.status_code == 404
    with empty_database.reading() as session:
        assert service.has_operator(session) is False


def test_a_password_is_changed_with_the_present_one(
    client: FlaskClient, empty_database: Database
) -> None:
    person(empty_database, client, email="lina@example.org")
    change = "/accounts/settings/password"
    wrong = send(client, "/accounts/settings", change, present="no", new="another caravan at dawn")
    assert wrong.status_code == 422
    assert "not your present password" in wrong.text
    done = send(
        client, "/accounts/settings", change, present=PASSWORD, new="another caravan at dawn"
    )
    assert done.status_code == 303
    assert client.get("/api/v1/whoami").status_code == 200


def test_a_shopper_becomes_a_developer_and_makes_a_token_that_works(
    client: FlaskClient, app: Flask, empty_database: Database
) -> None:
    person(empty_database, client)
    assert client.get("/portal/tokens").status_code == 403
    answer = send(client, "/accounts/settings", "/portal/become-developer")
    assert (answer.status_code, answer.location) == (303, "/portal/")
    made = send(client, "/portal/tokens", name="Laptop")
    assert made.headers["Cache-Control"] == "no-store"
    [secret] = set(re.findall(r"crv_[\w-]{43}", made.text))
    assert secret not in client.get("/portal/tokens").text
    tool = app.test_client()
    headers = {"Authorization": f"Bearer {secret}"}
    found = tool.get("/api/v1/whoami", headers=headers).get_json()
    assert (found["roles"], found["via_token"]) == (["developer", "shopper"], True)
    assert found["scopes"] == ["publish"]


def test_a_token_runs_apps_only_when_that_was_wanted(
    client: FlaskClient, app: Flask, empty_database: Database
) -> None:
    person(empty_database, client, is_developer=True)
    made = send(client, "/portal/tokens", name="Robot", may_run="true")
    [secret] = set(re.findall(r"crv_[\w-]{43}", made.text))
    assert "Publish and run apps" in made.text
    headers = {"Authorization": f"Bearer {secret}"}
    found = app.test_client().get("/api/v1/whoami", headers=headers).get_json()
    assert found["scopes"] == ["publish", "run"]


def test_a_revoked_token_stops_at_once(client: FlaskClient, empty_database: Database) -> None:
    account = person(empty_database, client, is_developer=True)
    with empty_database.writing() as session:
        made = make_token(session, account, now=utc_now())
    revoke = f"/portal/tokens/{made.token.id}/revoke"
    assert send(client, "/portal/tokens", revoke).status_code == 303
    headers = {"Authorization": f"Bearer {made.secret}"}
    answer = client.get("/api/v1/whoami", headers=headers)
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert "make a new one" in answer.get_json()["detail"]


def test_a_token_without_a_name_is_refused_in_the_page(
    client: FlaskClient, empty_database: Database
) -> None:
    person(empty_database, client, is_developer=True)
    answer = send(client, "/portal/tokens", name=" ")
    assert answer.status_code == 422
    assert "Please fill this in." in answer.text


def test_nobody_revokes_anothers_token(client: FlaskClient, empty_database: Database) -> None:
    person(empty_database, client, is_developer=True)
    with empty_database.writing() as session:
        made = make_token(session, make_account(session), now=utc_now())
    answer = send(client, "/portal/tokens", f"/portal/tokens/{made.token.id}/revoke")
    assert answer.status_code == 404


def test_a_token_opens_the_api_and_nothing_else(
    client: FlaskClient, empty_database: Database
) -> None:
    with empty_database.writing() as session:
        made = make_token(session, make_account(session, is_developer=True), now=utc_now())
    headers = {"Authorization": f"Bearer {made.secret}"}
    assert client.get("/api/v1/whoami", headers=headers).status_code == 200
    assert client.get("/portal/tokens", headers=headers).status_code == 303
    assert client.post("/portal/tokens", headers=headers, data={"name": "x"}).status_code == 403
