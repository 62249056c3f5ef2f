"""The reviewers' desk, walked as a browser does."""

from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.accounts.models import Account
from marketplace.catalog.models import Release, ReleaseState
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.infra.jobs import Job, JobContext
from marketplace.publishing import jobs as publishing_jobs
from marketplace.publishing.jobs import FORGET_BUNDLE
from marketplace.review import views
from marketplace.review.models import CheckResult
from tests.factories.accounts import make_account
from tests.factories.catalog import NOON, make_release
from tests.factories.pages import make_store, send, sign_in
from tests.factories.publishing import REMEMBER, make_upload
from tests.sdk.bundles import APP


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Blobs:
    return Blobs(tmp_path_factory.mktemp("blobs"))


@pytest.fixture(scope="module")
def app(database: Database, store: Blobs) -> Flask:
    """Made once: compiling its templates takes longer than the tests."""
    return make_store(database, views.blueprint(store), catalog__icon="/apps/<ident>/icon")


@pytest.fixture
def operator(client: FlaskClient, database: Database) -> Account:
    return sign_in(database, client, is_operator=True)


def waiting(database: Database, store: Blobs, by: Account | None = None, **given: object) -> str:
    """A release in review. Returns: its id."""
    with database.writing() as session:
        release = make_upload(session, store, by=by, **given)
        release.move_to(ReleaseState.IN_REVIEW, now=NOON)
        for position, level in enumerate(("pass", "warning")):
            session.add(
                CheckResult(
                    release_id=release.id,
                    position=position,
                    rule=f"rule.{level}",
                    level=level,
                    message=f"This is a {level}.",
                    file="app.py",
                    line=7,
                    found_at=NOON,
                )
            )
        return str(release.id)


def state(database: Database, release_id: str) -> tuple[ReleaseState, str]:
    with database.reading() as session:
        release = session.get_one(Release, UUID(release_id))
        return release.state, release.verdict


@pytest.mark.usefixtures("operator")
def test_the_queue_shows_what_waits(client: FlaskClient, database: Database, store: Blobs) -> None:
    assert "Nothing waits for you" in client.get("/review/").text
    waiting(database, store)
    page = client.get("/review/").text
    assert "tests.echo 1.0.0" in page
    assert "New app" in page
    assert "1 warning" in page


@pytest.mark.usefixtures("operator")
def test_a_release_is_shown_with_its_permissions_checks_and_sources(
    client: FlaskClient, database: Database, store: Blobs
) -> None:
    page = client.get(f"/review/releases/{waiting(database, store, more=REMEMBER)}").text
    assert "Remembers what you said before." in page
    assert "This is a warning." in page
    assert "app.py:7" in page
    assert "yield from ctx.llm.stream(text)" in page


@pytest.mark.usefixtures("operator")
def test_what_is_no_text_is_named_and_not_shown(
    client: FlaskClient, database: Database, store: Blobs
) -> None:
    with database.writing() as session:
        lina = make_account(session, is_developer=True)
    files = {"data/noise.txt": b"\xff\xfe\x00", "data/long.txt": b"long " * 50_000}
    first = waiting(database, store, lina, changes=files)
    page = client.get(f"/review/releases/{first}").text
    assert page.count("Not a text, or too long to show.") == 2
    send(client, f"/review/releases/{first}", f"/review/releases/{first}/approve")
    files["data/noise.txt"] += b"\xff"
    second = waiting(database, store, lina, changes=files, version="1.1.0")
    page = client.get(f"/review/releases/{second}").text
    assert page.count("Not a text, or too long to show.") == 2


@pytest.mark.usefixtures("operator")
def test_a_new_version_is_compared_with_the_published_one(
    client: FlaskClient, database: Database, store: Blobs
) -> None:
    with database.writing() as session:
        lina = make_account(session, is_developer=True)
    first = waiting(database, store, lina, changes={"data/old.txt": "gone"})
    send(client, f"/review/releases/{first}", f"/review/releases/{first}/approve")
    second = waiting(
        database,
        store,
        lina,
        version="1.1.0",
        changes={"app.py": APP.replace("Say it again.", "Say it twice."), "data/new.txt": "come"},
    )
    page = client.get(f"/review/releases/{second}").text
    assert "-    &#34;&#34;&#34;Say it again." in page
    assert "+    &#34;&#34;&#34;Say it twice." in page
    for word in ("As published", "Removed", "data/old.txt", "data/new.txt"):
        assert word in page


@pytest.mark.usefixtures("operator")
def test_approving_publishes_and_goes_back_to_the_queue(
    client: FlaskClient, database: Database, store: Blobs
) -> None:
    release_id = waiting(database, store)
    answer = send(
        client, f"/review/releases/{release_id}", f"/review/releases/{release_id}/approve"
    )
    assert (answer.status_code, answer.location) == (303, "/review/")
    assert state(database, release_id)[0] is ReleaseState.PUBLISHED
    again = send(client, "/review/", f"/review/releases/{release_id}/approve")
    assert again.status_code == 409


@pytest.mark.usefixtures("operator")
def test_turning_down_needs_words_for_the_developer(
    client: FlaskClient, database: Database, store: Blobs
) -> None:
    page = f"/review/releases/{waiting(database, store)}"
    release_id = page.rpartition("/")[2]
    assert send(client, page, f"{page}/reject", reason=" ").status_code == 422
    assert state(database, release_id)[0] is ReleaseState.IN_REVIEW
    assert send(client, page, f"{page}/reject", reason="Too loud.").status_code == 303
    assert state(database, release_id) == (ReleaseState.REJECTED, "Too loud.")


@pytest.mark.usefixtures("operator")
def test_the_bundle_of_a_release_that_is_turned_down_is_deleted(
    client: FlaskClient, database: Database, store: Blobs
) -> None:
    release_id = waiting(database, store)
    page = f"/review/releases/{release_id}"
    assert send(client, page, f"{page}/reject", reason="Too loud.").status_code == 303
    with database.reading() as session:
        key = session.get_one(Release, UUID(release_id)).bundle_key
        [job] = session.exec(select(Job).where(Job.name == FORGET_BUNDLE)).all()
    forget = publishing_jobs.handlers(store)[FORGET_BUNDLE]
    assert store.path(key).exists()
    for _ in range(2):
        forget(JobContext(database, job.payload, NOON))
        assert not store.path(key).exists()
    shown = client.get(page)
    assert (shown.status_code, "Too loud." in shown.text) == (200, True)


def test_a_bundle_that_another_release_names_is_kept(
    database: Database, store: Blobs, empty_database: Database
) -> None:
    first = waiting(database, store)
    with database.writing() as session:
        release = session.get_one(Release, UUID(first))
        key, release.state = release.bundle_key, ReleaseState.REJECTED
        make_release(session, bundle_key=key)
    forget = publishing_jobs.handlers(store)[FORGET_BUNDLE]
    forget(JobContext(empty_database, {"release_id": first}, NOON))
    assert store.path(key).exists()


@pytest.mark.usefixtures("operator")
def test_what_is_too_long_to_be_compared_is_shown_whole(
    client: FlaskClient, database: Database, store: Blobs
) -> None:
    with database.writing() as session:
        lina = make_account(session, is_developer=True)
    changes = {"data/long.txt": "old\n" * 1_200, "data/short.txt": "old\n"}
    first = waiting(database, store, lina, changes=changes)
    send(client, f"/review/releases/{first}", f"/review/releases/{first}/approve")
    changes = {"data/long.txt": "new\n" * 1_200, "data/short.txt": "new\n"}
    second = waiting(database, store, lina, version="1.1.0", changes=changes)
    page = client.get(f"/review/releases/{second}").text
    assert page.count("too long to be compared. This is all of it.") == 1
    assert "-old\n+new" in page
    assert "new\nnew\nnew" in page


def test_only_operators_come_to_the_desk(
    client: FlaskClient, database: Database, store: Blobs
) -> None:
    release_id = waiting(database, store)
    paths = ("/review/", f"/review/releases/{release_id}")
    assert {client.get(path).status_code for path in paths} == {303}
    sign_in(database, client, is_developer=True)
    assert {client.get(path).status_code for path in paths} == {403}
    answer = send(client, "/portal/tokens", f"/review/releases/{release_id}/approve")
    assert answer.status_code == 403
    assert state(database, release_id)[0] is ReleaseState.IN_REVIEW


@pytest.mark.usefixtures("operator")
def test_a_release_nobody_knows_is_not_found(client: FlaskClient) -> None:
    assert client.get(f"/review/releases/{uuid4()}").status_code == 404
