"""The portal's pages and the API: uploads from a browser and from a program."""

import io
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from marketplace.accounts.models import Account
from marketplace.catalog import service as catalog
from marketplace.catalog.models import App, AppState, Release
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.publishing import views, views_listing
from marketplace.publishing.settings import PublishingSettings
from marketplace.review.queries import findings
from tests.factories.accounts import make_account, make_token
from tests.factories.catalog import make_listed
from tests.factories.pages import make_store, send, sign_in
from tests.factories.publishing import bundle_bytes, manifest_text


@pytest.fixture(scope="module")
def app(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """Made once: compiling its templates takes longer than the tests."""
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    return make_store(
        database,
        views.blueprint(blobs, PublishingSettings(uploads_a_day=3), lambda *_: {}, findings),
        views_listing.bp,
        catalog__app="/apps/<ident>",
        catalog__icon="/apps/<ident>/icon",
        billing__earnings="/portal/earnings",
    )


def token(database: Database, **given: Any) -> dict[str, str]:
    """The header of a program of a developer."""
    with database.writing() as session:
        account = make_account(session, **{"is_developer": True, **given})
        return {"Authorization": f"Bearer {make_token(session, account, now=utc_now()).secret}"}


def post(client: FlaskClient, data: bytes, headers: dict[str, str]) -> TestResponse:
    # Written out: the test client would leave a temporary file open for a large one.
    head = 'Content-Disposition: form-data; name="bundle"; filename="echo.caravan"\r\n\r\n'
    return client.post(
        "/api/v1/releases",
        data=b"--edge\r\n" + head.encode() + data + b"\r\n--edge--\r\n",
        content_type="multipart/form-data; boundary=edge",
        headers=headers,
    )


def rows(database: Database) -> int:
    with database.reading() as session:
        return len(session.exec(select(Release)).all()) + len(session.exec(select(App)).all())


def test_a_program_uploads_and_follows_its_release(client: FlaskClient, database: Database) -> None:
    headers = token(database)
    answer = post(client, bundle_bytes(), headers)
    assert answer.status_code == 201
    made = answer.get_json()
    assert (made["app"], made["version"], made["state"]) == ("tests.echo", "1.0.0", "checking")
    assert made["url"].endswith("/portal/apps/tests.echo")
    followed = client.get(made["checks_url"], headers=headers).get_json()
    assert (followed["release"], followed["state"], followed["checks"]) == (
        made["release"],
        "checking",
        [],
    )


def test_the_same_version_twice_is_a_conflict_with_a_rule(
    client: FlaskClient, database: Database
) -> None:
    headers = token(database)
    post(client, bundle_bytes(), headers)
    before = rows(database)
    answer = post(client, bundle_bytes(), headers)
    assert (answer.status_code, answer.content_type) == (409, "application/problem+json")
    assert answer.get_json()["rule"] == "release.duplicate-version"
    assert rows(database) == before


@pytest.mark.parametrize(
    ("data", "status", "rule"),
    [
        (b"not a zip", 422, "bundle.broken"),
        (bundle_bytes(more="\n[surprise]\n"), 422, "manifest.unknown-key"),
        (bundle_bytes(ident="caravan.thief"), 403, "app.reserved-id"),
        (b"PK\x03\x04" + b"\0" * (10 * 2**20), 413, "bundle.too-large"),
    ],
)
def test_a_bad_upload_is_a_problem_with_a_rule_and_leaves_nothing(
    client: FlaskClient, database: Database, data: bytes, status: int, rule: str
) -> None:
    answer = post(client, data, token(database))
    problem = answer.get_json()
    assert (answer.status_code, problem["rule"]) == (status, rule)
    assert problem["detail"].endswith((".", "?"))
    assert rows(database) == 0


def test_a_problem_in_the_manifest_names_its_line(client: FlaskClient, database: Database) -> None:
    text = manifest_text(more="\n[surprise]\n")
    [finding] = post(client, bundle_bytes({"caravan.toml": text}), token(database)).get_json()[
        "findings"
    ]
    assert (finding["file"], finding["line"]) == ("caravan.toml", text.count("\n"))


def test_a_claim_of_two_gigabytes_is_turned_away_before_it_is_read(
    client: FlaskClient, database: Database
) -> None:
    answer = client.post(
        "/api/v1/releases",
        headers=token(database),
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": str(2 * 2**30)},
        input_stream=io.BytesIO(b"--x"),
    )
    assert answer.status_code == 413
    assert rows(database) == 0


def test_an_upload_without_a_file_says_what_to_choose(
    client: FlaskClient, database: Database
) -> None:
    answer = client.post("/api/v1/releases", headers=token(database))
    assert answer.status_code == 422
    assert "caravan build" in answer.get_json()["detail"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nothing"}])
def test_without_a_valid_token_nothing_is_taken(
    client: FlaskClient, database: Database, headers: dict[str, str]
) -> None:
    assert post(client, bundle_bytes(), headers).status_code in {401, 403}
    assert rows(database) == 0


def test_a_developer_who_uploads_again_and_again_is_told_when_to_come_back(
    client: FlaskClient, database: Database
) -> None:
    headers = token(database)
    for number in range(3):
        assert post(client, bundle_bytes(version=f"1.{number}.0"), headers).status_code == 201
    answer = post(client, bundle_bytes(version="1.3.0"), headers)
    assert (answer.status_code, answer.json["rule"]) == (429, "release.too-many-uploads")
    assert 86_000 < int(answer.headers["Retry-After"]) <= 86_400


def test_a_shopper_is_no_developer(client: FlaskClient, database: Database) -> None:
    answer = post(client, bundle_bytes(), token(database, is_developer=False))
    assert answer.status_code == 403
    assert rows(database) == 0


def test_somebody_elses_release_cannot_be_followed(client: FlaskClient, database: Database) -> None:
    made = post(client, bundle_bytes(), token(database)).get_json()
    assert client.get(made["checks_url"], headers=token(database)).status_code == 404
    unknown = f"/api/v1/releases/{uuid4()}"
    assert client.get(unknown, headers=token(database)).status_code == 404


def test_a_channel_that_is_none_is_told_and_nothing_is_taken(
    client: FlaskClient, database: Database
) -> None:
    file = (io.BytesIO(bundle_bytes()), "echo.caravan")
    answer = client.post(
        "/api/v1/releases", data={"bundle": file, "channel": "gamma"}, headers=token(database)
    )
    assert (answer.status_code, answer.get_json()["rule"]) == (422, "release.channel")
    assert "stable, beta" in answer.get_json()["detail"]
    assert rows(database) == 0


def test_a_beta_version_before_any_stable_one_is_told_on_the_page(
    client: FlaskClient, database: Database
) -> None:
    sign_in(database, client, is_developer=True)
    file = (io.BytesIO(bundle_bytes()), "echo-1.0.0.caravan")
    answer = send(client, "/portal/upload", bundle=file, channel="beta")
    assert (answer.status_code, "Publish a stable version first" in answer.text) == (409, True)
    assert 'value="beta" checked' in answer.text, "the choice is kept"
    assert rows(database) == 0


def test_a_browser_uploads_and_sees_the_checks_under_way(
    client: FlaskClient, database: Database
) -> None:
    sign_in(database, client, is_developer=True)
    file = (io.BytesIO(bundle_bytes()), "echo-1.0.0.caravan")
    answer = send(client, "/portal/upload", bundle=file)
    assert (answer.status_code, answer.location) == (303, "/portal/apps/tests.echo")
    page = client.get("/portal/apps/tests.echo").text
    assert "1.0.0" in page
    assert 'data-controller="refresh"' in page
    assert "Not published yet" in client.get("/portal/").text


def test_a_browser_sees_every_fault_of_its_bundle(client: FlaskClient, database: Database) -> None:
    sign_in(database, client, is_developer=True)
    text = manifest_text(more="\n[surprise]\n").replace("age = 3", 'age = "three"')
    file = (io.BytesIO(bundle_bytes({"caravan.toml": text})), "echo.caravan")
    answer = send(client, "/portal/upload", bundle=file)
    assert answer.status_code == 422
    assert "surprise" in answer.text
    assert "age" in answer.text
    assert rows(database) == 0


def test_the_portal_invites_those_who_are_no_developers(
    client: FlaskClient, database: Database
) -> None:
    assert "Sign in to begin" in client.get("/portal/").text
    sign_in(database, client)
    assert "Become a developer" in client.get("/portal/").text
    assert client.get("/portal/upload").status_code == 403


def test_a_developer_without_an_app_is_told_how_to_begin(
    client: FlaskClient, database: Database
) -> None:
    sign_in(database, client, is_developer=True)
    page = client.get("/portal/").text
    assert "No app yet" in page
    assert "caravan publish" in page
    assert client.get("/portal/apps/tests.none").status_code == 404


def test_a_developer_takes_their_app_out_of_the_store_and_puts_it_back(
    client: FlaskClient, database: Database
) -> None:
    developer = sign_in(database, client, is_developer=True)
    with database.writing() as session:
        app = make_listed(session, owner=session.get_one(Account, developer.id))
        other = make_listed(session)
    page = f"/portal/apps/{app.ident}"

    def state() -> AppState:
        with database.reading() as session:
            return session.get_one(App, app.id).state

    assert send(client, page, f"{page}/withdraw").status_code == 303
    assert state() is AppState.HIDDEN
    assert "Put it back" in client.get(page).text
    assert "Out of the store" in client.get("/portal/").text
    assert send(client, page, f"{page}/withdraw").status_code == 409
    assert send(client, page, f"{page}/list-again").status_code == 303
    assert state() is AppState.LISTED
    assert send(client, page, f"{page}/list-again").status_code == 409
    assert send(client, page, f"/portal/apps/{other.ident}/withdraw").status_code == 404


def test_what_an_operator_took_down_its_developer_does_not_put_back(
    client: FlaskClient, database: Database
) -> None:
    developer = sign_in(database, client, is_developer=True)
    with database.writing() as session:
        app = make_listed(session, owner=session.get_one(Account, developer.id))
        catalog.take_down(session, app, reason="It insults people.")
    page = f"/portal/apps/{app.ident}"
    assert send(client, page, f"{page}/list-again").status_code == 409
    assert send(client, page, f"{page}/withdraw").status_code == 409
