"""The edge: what is kept, what is undone, and what each error becomes."""

from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from flask import Flask, Response, abort, redirect, request
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.exc import DataError, OperationalError
from sqlmodel import Session, select

from marketplace.infra import jobs
from marketplace.infra.db import Database
from marketplace.infra.jobs import Job
from marketplace.kernel import errors
from marketplace.web import edge
from marketplace.web.auth import NotSignedIn
from marketplace.web.edge import after_commit, db

API = "/api/v1/thing"


@pytest.fixture(autouse=True)
def _without_form_tokens(app: Flask) -> None:
    # `test_csrf` looks at those; here every form is taken for one of ours.
    app.before_request_funcs[None] = [
        check for check in app.before_request_funcs[None] if check.__module__ == edge.__name__
    ]


@pytest.fixture
def serve(app: Flask) -> Callable[..., None]:
    """Answers at two addresses with a view: a page and the API."""

    def at_both(view: Callable[[], object]) -> None:
        methods = ["GET", "POST"]
        app.add_url_rule("/thing", "page", view, methods=methods)
        app.add_url_rule(API, "api", view, methods=methods)

    return at_both


def kept(database: Database) -> list[str]:
    with database.reading() as session:
        return [job.name for job in session.exec(select(Job)).all()]


def write(name: str = "tests.greet") -> None:
    jobs.enqueue(db(), name)


@pytest.mark.parametrize("status", [200, 201, 204, 303])
def test_an_answer_below_400_is_committed(
    serve: Callable[..., None], client: FlaskClient, empty_database: Database, status: int
) -> None:
    def view() -> tuple[str, int]:
        write()
        return "", status

    serve(view)
    assert client.post("/thing").status_code == status
    assert kept(empty_database) == ["tests.greet"]


@pytest.mark.parametrize("status", [400, 422, 500])
def test_an_answer_of_400_and_more_is_undone(
    serve: Callable[..., None], client: FlaskClient, empty_database: Database, status: int
) -> None:
    done: list[str] = []

    def view() -> tuple[str, int]:
        write()
        after_commit(lambda: done.append("news"))
        return "", status

    serve(view)
    assert client.post("/thing").status_code == status
    assert kept(empty_database) == []
    assert done == []


def test_an_exception_undoes_everything(
    serve: Callable[..., None], client: FlaskClient, empty_database: Database
) -> None:
    def view() -> NoReturn:
        write()
        db().flush()  # the row must have reached the database for the rollback to matter
        raise errors.Conflict("Somebody was quicker.")

    serve(view)
    assert client.post("/thing").status_code == 409
    assert kept(empty_database) == []


def test_a_request_that_only_reads_keeps_nothing(
    serve: Callable[..., None], client: FlaskClient, empty_database: Database
) -> None:
    def view() -> str:
        write()
        if request.method == "GET":
            # A reading session has no one to wait for: a write from elsewhere goes through.
            with empty_database.writing() as other:
                jobs.enqueue(other, "tests.elsewhere")
        return ""

    serve(view)
    assert client.get("/thing").status_code == 200
    assert "tests.elsewhere" in kept(empty_database)


def test_what_follows_a_commit_sees_it_and_may_write_itself(
    serve: Callable[..., None], client: FlaskClient, empty_database: Database
) -> None:
    seen: list[list[str]] = []

    def follow() -> None:
        seen.append(kept(empty_database))
        with empty_database.writing() as session:
            jobs.enqueue(session, "tests.follow")

    def view() -> str:
        write()
        after_commit(follow)
        return ""

    serve(view)
    assert client.post("/thing").status_code == 200
    assert seen == [["tests.greet"]]
    assert sorted(kept(empty_database)) == ["tests.follow", "tests.greet"]


def test_a_commit_that_fails_is_an_error_page_and_frees_the_database(
    serve: Callable[..., None], client: FlaskClient, empty_database: Database
) -> None:
    done: list[str] = []

    def refuse(_session: Session) -> NoReturn:
        raise OperationalError("COMMIT", {}, Exception("database or disk is full"))

    def view() -> str:
        write()
        event.listen(db(), "before_commit", refuse)
        after_commit(lambda: done.append("news"))
        return ""

    serve(view)
    answer = client.post("/thing")
    assert answer.status_code == 503
    assert "disk is full" in answer.text
    assert "script-src" in answer.headers["Content-Security-Policy"]
    assert done == []
    with empty_database.writing() as session:
        jobs.enqueue(session, "tests.after")
    assert kept(empty_database) == ["tests.after"]


def test_a_bug_found_at_the_commit_is_a_500(
    serve: Callable[..., None], client: FlaskClient, empty_database: Database
) -> None:
    def view() -> str:
        db().add(Job(name=None, payload={}))
        return ""

    serve(view)
    answer = client.post(API)
    assert answer.status_code == 500
    assert answer.get_json()["detail"].startswith("Something went wrong on our side.")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotSignedIn("Sentence."), 401),
        (errors.Forbidden("Sentence."), 403),
        (errors.NotFound("Sentence."), 404),
        (errors.Conflict("Sentence."), 409),
        (errors.TooLarge("Sentence."), 413),
        (errors.Invalid("Sentence."), 422),
        (errors.Limited("Sentence.", retry_after_s=7), 429),
        (errors.Unavailable("Sentence."), 503),
    ],
)
def test_each_family_of_errors_has_its_status(
    serve: Callable[..., None], client: FlaskClient, error: errors.CaravanError, status: int
) -> None:
    class Leaf(type(error)):  # type: ignore[misc]  # made from the parameter
        """A leaf has the status of its family."""

    leaf = Leaf.__new__(Leaf)
    leaf.__dict__.update(error.__dict__)

    def view() -> NoReturn:
        raise leaf

    serve(view)
    page, problem = client.get("/thing"), client.get(API)
    assert (page.status_code, problem.status_code) == (status, status)
    assert "Sentence." in page.text
    assert problem.content_type == "application/problem+json"
    body = problem.get_json()
    assert (body["status"], body["detail"]) == (status, "Sentence.")
    assert body["type"] == "about:blank"
    assert problem.headers.get("Retry-After") == ("7" if status == 429 else None)
    assert ("WWW-Authenticate" in problem.headers) is (status == 401)


def test_every_family_is_in_the_table() -> None:
    families = set(errors.CaravanError.__subclasses__())
    assert {f for f in families if f.__module__ == errors.__name__} <= set(edge.STATUSES)


def test_a_problem_names_its_rule_and_fields(
    serve: Callable[..., None], client: FlaskClient
) -> None:
    def view() -> NoReturn:
        raise errors.Invalid("No.", rule="manifest.unknown-key", fields={"app.nam": "What is it?"})

    serve(view)
    body = client.get(API).get_json()
    assert (body["type"], body["rule"]) == (
        "urn:caravan:manifest.unknown-key",
        "manifest.unknown-key",
    )
    assert body["errors"] == {"app.nam": "What is it?"}
    assert len(body["request_id"]) == 12


def test_an_error_page_does_not_run_what_it_repeats(
    serve: Callable[..., None], client: FlaskClient
) -> None:
    def view() -> NoReturn:
        raise errors.Invalid("<script>alert(1)</script>")

    serve(view)
    assert "<script>alert" not in client.get("/thing").text


def test_a_bug_tells_the_person_nothing_but_a_number(
    serve: Callable[..., None], client: FlaskClient, logged: list[dict[str, Any]]
) -> None:
    def view() -> NoReturn:
        raise RuntimeError("the password is swordfish")

    serve(view)
    answer = client.get(API)
    assert answer.status_code == 500
    assert "swordfish" not in answer.text
    [entry] = logged
    assert entry["request_id"] == answer.get_json()["request_id"]
    assert "swordfish" in str(entry["exc_info"])


@pytest.mark.parametrize(
    ("reason", "said"),
    [("database or disk is full", "disk is full"), ("connection refused", "did not answer")],
)
def test_a_database_that_fails_is_unavailable(
    serve: Callable[..., None], client: FlaskClient, reason: str, said: str
) -> None:
    def view() -> NoReturn:
        raise OperationalError("SELECT 1", {}, Exception(reason))

    serve(view)
    answer = client.get(API)
    assert answer.status_code == 503
    assert said in answer.get_json()["detail"]


def test_a_value_that_no_database_keeps_is_told(
    serve: Callable[..., None], client: FlaskClient
) -> None:
    def view() -> str:
        raise DataError("SELECT 1", {}, Exception("a text cannot contain NUL (0x00) bytes"))

    serve(view)
    answer = client.get(API)
    assert answer.status_code == 422
    assert "cannot be kept" in answer.get_json()["detail"]


def test_http_errors_of_the_framework_look_like_ours(
    app: Flask, serve: Callable[..., None], client: FlaskClient
) -> None:
    serve(lambda: "")
    app.add_url_rule("/folder/", "folder", lambda: "inside")
    app.add_url_rule("/teapot", "teapot", lambda: abort(418))
    app.add_url_rule("/own", "own", lambda: abort(Response("mine", 409)))
    app.add_url_rule("/away", "away", lambda: redirect("/thing", code=303))
    missing = client.get("/api/v1/nothing")
    assert missing.content_type == "application/problem+json"
    refused = client.put("/thing")
    assert refused.status_code == 405
    assert "POST" in refused.headers["Allow"]
    assert client.get("/folder").status_code == 308
    assert client.get("/teapot").status_code == 418
    assert client.get("/own").text == "mine"
    assert client.get("/away").status_code == 303


def test_a_body_that_is_too_large_is_refused(
    serve: Callable[..., None], client: FlaskClient
) -> None:
    serve(lambda: str(len(request.form)))
    answer = client.post("/thing", data={"text": "x" * 100_000})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("*/*", False),
        ("application/json", True),
    ],
)
def test_an_error_is_in_the_form_that_was_asked_for(
    client: FlaskClient, accept: str, *, is_json: bool
) -> None:
    answer = client.get("/nothing", headers={"Accept": accept})
    assert (answer.content_type == "application/problem+json") is is_json
