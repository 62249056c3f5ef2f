"""What a person gives a run: files with its form, and answers in the middle of it."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from marketplace.catalog.models import App, Release
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import RunId
from marketplace.runs.models import Run
from marketplace.web.auth import TokenScope
from tests.factories.accounts import make_account, make_token
from tests.factories.pages import TOKEN
from tests.factories.run_pages import run_of, start, streamed
from tests.factories.runs import Stage

READS = """
from typing import Annotated
from caravan import App, Context, Field, File
app = App()

@app.action("Go")
def go(file: Annotated[File, Field(accept=(".txt",), max_bytes=20)], note: File | None = None):
    yield f"{file.name} ({file.media_type}): {file.text()}"
"""


def upload(client: FlaskClient, app: App, data: bytes, name: str = "notes.txt") -> TestResponse:
    file = (BytesIO(data), name, "application/x-lie")
    return start(client, app, file=file, **{"-allow": "files.read"})


def test_an_app_reads_the_file_of_its_form(
    here: Stage, lina: FlaskClient, omar: FlaskClient
) -> None:
    app = here.described(READS, permissions=("files.read",))
    run_id = run_of(here, upload(lina, app, "salam, دفتر".encode(), "../My notes.txt"))
    page = lina.get(f"/runs/{run_id}").text
    assert "My notes.txt (text/plain): salam, دفتر" in page
    assert "My notes.txt (0.1 kB)" in page
    assert here.run(run_id).permissions_used == ["files.read"]
    # The value that stands for a file is made by the store; a form cannot write one.
    file_id = here.run(run_id).input["file"]["file"]
    forged = {"file": file_id, "file.file": file_id, "-allow": "files.read"}
    assert start(omar, app, **forged).status_code == 422


@pytest.mark.parametrize(
    ("data", "name", "told"),
    [
        (b"x" * 21, "a.txt", "is the most"),
        (b"x", "a.exe", "\u2066.txt\u2069"),
        (b"", "", "fill"),
    ],
)
def test_a_file_that_does_not_fit_is_marked_on_the_form(
    here: Stage, lina: FlaskClient, data: bytes, name: str, told: str
) -> None:
    before = list(here.folder.glob("files/*/*"))
    answer = upload(lina, here.described(READS, permissions=("files.read",)), data, name)
    assert (answer.status_code, told in answer.text) == (422, True)
    assert list(here.folder.glob("files/*/*")) == before


def test_a_program_sends_files_with_its_token(
    here: Stage, app: Flask, empty_database: Database
) -> None:
    client, read = app.test_client(), here.described(READS, permissions=("files.read",))
    with empty_database.writing() as session:
        person = make_account(session)
        wide = make_token(session, person, now=utc_now(), scopes=(TokenScope.RUN,)).secret
        narrow = make_token(session, person, now=utc_now()).secret
    headers = {"Authorization": f"Bearer {wide}"}

    def post(data: bytes) -> TestResponse:
        forged = {"file": "0" * 32, "name": "b", "media_type": "", "size_bytes": 1}
        asked = {"action": "go", "input": {"note": forged}, "allow": ["files.read"]}
        form = {"run": json.dumps(asked), "file": (BytesIO(data), "a.txt")}
        return client.post(f"/api/v1/apps/{read.ident}/runs", data=form, headers=headers)

    too_large = post(b"x" * 21)
    assert too_large.status_code == 422
    assert "most" in too_large.get_json()["errors"]["file"]
    told = post(b"hello")
    assert (told.status_code, told.get_json()["state"]) == (201, "queued")
    here.wait(RunId(UUID(told.get_json()["run"])))
    shown = client.get(told.get_json()["url"], headers=headers).get_json()
    assert shown["state"] == "finished"
    assert shown["output"][0]["text"] == "a.txt (text/plain): hello"
    assert client.get(told.get_json()["url"]).status_code == 401
    for_publishing = {"Authorization": f"Bearer {narrow}"}
    stop = f"{told.get_json()['url']}/stop"
    for refused in (
        client.get(told.get_json()["url"], headers=for_publishing),
        client.post(stop, headers=for_publishing),
        client.post(f"/api/v1/apps/{read.ident}/runs", json={}, headers=for_publishing),
    ):
        assert (refused.status_code, refused.get_json()["rule"]) == (403, "token.scope")
    for body in ("[1]", "{", '{"input": 5}', '{"input": {"n": 1e400}}'):
        refused = client.post(
            f"/api/v1/apps/{read.ident}/runs", data={"run": body}, headers=headers
        )
        assert refused.get_json()["rule"] == "runs.json"


ASKS = """
from dataclasses import dataclass
from typing import Annotated
from caravan import App, Context, Field, Form
app = App()

@dataclass
class Guess:
    number: Annotated[int, Field(ge=1, le=9, label="Your guess")]

@app.action("Go")
def go(ctx: Context):
    guess = yield Form(Guess, "Which <number>?")
    yield f"You said {guess.number}."
"""


@pytest.fixture
def waiting(here: Stage, lina: FlaskClient) -> Iterator[RunId]:
    """A run of Lina's that waits for her answer."""
    start(lina, here.described(ASKS, permissions=()), **{"-allow": ""})
    with here.database.reading() as session:
        run_id = session.exec(select(Run.id)).one()
    here.wait(run_id, until="asked")
    yield run_id
    here.executor.stop(run_id)
    here.wait(run_id)


def answer(client: FlaskClient, run_id: RunId, *, is_script: bool = False, **fields: str) -> Any:
    [token, *_] = TOKEN.findall(client.get("/accounts/settings").text)
    data = {"-number": "1", "csrf_token": token, **fields}
    headers = {"Sec-Fetch-Mode": "cors"} if is_script else {}
    return client.post(f"/runs/{run_id}/answers", data=data, headers=headers)


def test_a_form_in_the_middle_of_a_run_is_on_its_page_until_it_is_answered(
    here: Stage, lina: FlaskClient, waiting: RunId
) -> None:
    page = lina.get(f"/runs/{waiting}").text
    assert "Which &lt;number&gt;?" in page
    assert "Your guess" in page
    # A page that loads itself again would wipe out what is being typed.
    assert "http-equiv" not in page
    answered = answer(lina, waiting, number="7")
    assert (answered.status_code, answered.location) == (303, f"/runs/{waiting}")
    here.wait(waiting)
    assert "You said 7." in lina.get(f"/runs/{waiting}").text
    assert answer(lina, waiting, number="8").status_code == 303
    assert "question" not in streamed(lina, waiting)[:1]


def test_a_form_in_the_middle_of_a_run_is_in_the_readers_language(
    here: Stage, lina: FlaskClient, waiting: RunId
) -> None:
    words = {"Which <number>?": "أي <عدد>؟", "Your guess": "تخمينك"}
    with here.database.writing() as session:
        release = session.get_one(Release, session.get_one(Run, waiting).release_id)
        release.listings = {"ar": {"words": words}}
    page = lina.get(f"/runs/{waiting}?lang=ar").text
    assert "أي &lt;عدد&gt;؟" in page
    assert "تخمينك" in page
    assert "Your guess" not in page
    assert "Your guess" in lina.get(f"/runs/{waiting}?lang=en").text


@pytest.mark.parametrize("is_script", [True, False])
def test_an_answer_that_does_not_fit_comes_back_to_be_mended(
    here: Stage, lina: FlaskClient, waiting: RunId, *, is_script: bool
) -> None:
    refused = answer(lina, waiting, is_script=is_script, number="70")
    assert refused.status_code == 422
    assert "must be at most 9" in refused.text
    assert ("<html" in refused.text) is not is_script
    missing = answer(lina, waiting, is_script=is_script)
    assert "Please fill this in" in missing.text
    assert answer(lina, waiting, is_script=True, number="9", **{"-number": "2"}).status_code == 204
    assert here.questions.pending(waiting) is not None
    assert answer(lina, waiting, is_script=True, number="9").status_code == 204
    assert answer(lina, waiting, is_script=True, number="1").status_code == 204
    here.wait(waiting)
    assert here.run(waiting).output[0]["text"] == "You said 9."


def test_only_the_runs_person_may_answer_and_only_from_its_page(
    here: Stage, lina: FlaskClient, omar: FlaskClient, waiting: RunId
) -> None:
    assert answer(omar, waiting, number="7").status_code == 404
    assert lina.post(f"/runs/{waiting}/answers", data={"number": "7"}).status_code == 403
    assert here.questions.pending(waiting) is not None


def test_a_stream_brings_the_form_that_waits_and_none_that_was_answered(
    here: Stage, lina: FlaskClient, waiting: RunId
) -> None:
    stream = lina.get(f"/runs/{waiting}/events")
    text = ""
    for piece in stream.response:
        text += piece.decode() if isinstance(piece, bytes) else piece
        if "event: question" in text and "csrf_token" in text:
            break
    stream.close()
    assert "Your guess" in text
    answer(lina, waiting, number="7")
    here.wait(waiting)
    whole = lina.get(f"/runs/{waiting}/events").text
    assert '"number":1,"html":""' in whole
    assert "Your guess" not in whole
