"""The pages and streams of runs, as a browser gets them."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from sqlmodel import Session, select
from werkzeug.test import TestResponse

from marketplace.accounts.models import Account
from marketplace.billing import queries as billing
from marketplace.catalog import views as catalog_views
from marketplace.catalog import views_ratings
from marketplace.catalog.models import App, Release
from marketplace.inference.fake import FakeInference
from marketplace.inference.ports import EngineStatus, ServedModel, Wants
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId, AppId, RunId
from marketplace.runs import (
    budgets,
    queries,
    views,
    views_api,
    views_audit,
    views_consent,
    views_settings,
    wishes,
)
from marketplace.runs.models import Run, RunState
from marketplace.runs.pages import Panel
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.budgets import Amounts
from marketplace.web.auth import actor
from tests.factories.accounts import make_account, make_session, make_token
from tests.factories.catalog import make_product
from tests.factories.pages import TOKEN, make_store, send, sign_in
from tests.factories.runs import EVERY_PERMISSION, VAULT, Stage, stage

ALLOW = ",".join(EVERY_PERMISSION)
ASK = "yield 'It said: '\nyield from ctx.llm.stream('hello there')"


@pytest.fixture(scope="module")
def here(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Made once, as the pages are: compiling templates takes longer than the tests."""
    with stage(database, tmp_path_factory.mktemp("runs")) as made:
        yield made


@pytest.fixture(scope="module")
def app(here: Stage) -> Flask:
    def panel_for(session: Session, app: App, release: Release | None) -> Panel:
        person = actor()
        person_id = person.id if person else None
        again = request.args.get("again", type=UUID)
        return queries.panel(
            session, app, release, VAULT, person_id=person_id, unavailable=None, again=again
        )

    return make_store(
        here.database,
        catalog_views.blueprint(here.blobs, panel_for, billing.has_bought),
        views_ratings.blueprint(billing.has_bought),
        views.blueprint(here.database, here.logs, here.questions, here.starter),
        views_api.blueprint(here.starter),
        views_audit.blueprint(here.audits),
        views_consent.blueprint(here.executor),
        views_settings.blueprint(VAULT),
        publishing__portal="/portal/",
        reports__form="/apps/<ident>/report",
        billing__checkout="/checkout/<product_id>",
    )


@pytest.fixture
def lina(app: Flask, empty_database: Database) -> FlaskClient:
    """A browser whose person is signed in."""
    client = app.test_client()
    sign_in(empty_database, client)
    return client


@pytest.fixture
def omar(app: Flask, empty_database: Database) -> FlaskClient:
    """Somebody else's."""
    client = app.test_client()
    sign_in(empty_database, client)
    return client


def start(client: FlaskClient, app: App, **fields: Any) -> TestResponse:
    page = f"/apps/{app.ident}"
    return send(client, page, f"{page}/runs", **{"-action": "go", "-allow": ALLOW, **fields})


def run_of(here: Stage, answer: TestResponse) -> RunId:
    """The run a redirect leads to, once it is over."""
    assert answer.status_code == 303
    with here.database.reading() as session:
        [run] = session.exec(select(Run)).all()
    assert answer.location == f"/runs/{run.id}"
    here.wait(run.id)
    return run.id


def streamed(client: FlaskClient, run_id: RunId, after: int | None = None) -> list[str]:
    """Names of the events a browser gets that has seen `after`."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    answer = client.get(f"/runs/{run_id}/events", headers=headers)
    assert answer.mimetype == "text/event-stream"
    return [
        line.removeprefix("event: ")
        for line in answer.text.splitlines()
        if line.startswith("event: ")
    ]


def test_a_run_begins_and_its_page_shows_what_came_out(here: Stage, lina: FlaskClient) -> None:
    run_id = run_of(here, start(lina, here.app(ASK), text="salam"))
    page = lina.get(f"/runs/{run_id}").text
    assert "It said: Hello." in page
    assert "salam" in page
    assert "receipt" in page


def test_the_receipt_tells_the_memory_that_was_held_in_words(
    here: Stage, lina: FlaskClient
) -> None:
    app = here.app(ASK)
    run_id = run_of(here, start(lina, app))
    assert "tokens for" not in lina.get(f"/runs/{run_id}").text
    with here.database.writing() as session:
        run = session.get_one(Run, run_id)
        run.prefill_ms, run.decode_ms, run.kv_token_ms = 500, 1_500, 2_400_000
    assert "1,200 tokens for 2 s" in lina.get(f"/runs/{run_id}").text


def test_an_app_that_no_model_can_serve_is_refused_before_it_runs(
    here: Stage, lina: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ServedModel("small", "Small", ("default",), 1024)
    status = EngineStatus(ready=True, models=(small,))
    monkeypatch.setattr(here.inference, "status", lambda: status)
    assert start(lina, here.app(ASK)).status_code == 303
    monkeypatch.setattr(wishes, "wants_of", lambda _manifest: Wants(context=9000))
    refused = start(lina, here.app(ASK))
    assert refused.status_code == 503
    assert "needs a model that holds 9,000 tokens, and the largest of this store" in refused.text


def test_a_stream_goes_on_after_the_last_event_a_browser_has(
    here: Stage, lina: FlaskClient
) -> None:
    run_id = run_of(here, start(lina, here.app(ASK)))
    whole = ["started", "text", "text", "text", "final", "receipt", "done"]
    assert streamed(lina, run_id) == whole
    assert streamed(lina, run_id, after=3) == whole[3:]
    assert streamed(lina, run_id, after=99) == whole[4:]


def test_a_stream_ends_with_the_drawn_output_and_the_receipt(
    here: Stage, lina: FlaskClient
) -> None:
    run_id = run_of(here, start(lina, here.app("yield '<b>bold</b>'")))
    stream = lina.get(f"/runs/{run_id}/events").text
    assert "&lt;b&gt;bold&lt;/b&gt;" in stream
    assert '"state":"finished"' in stream
    assert '<b>bold</b>","' not in stream


def test_a_failed_run_says_why_on_its_page_and_in_its_stream(
    here: Stage, lina: FlaskClient
) -> None:
    run_id = run_of(here, start(lina, here.app("raise ValueError('no camel')")))
    assert "no camel" in lina.get(f"/runs/{run_id}").text
    assert streamed(lina, run_id) == ["started", "failed", "final", "receipt", "done"]


def test_nobody_sees_or_stops_the_run_of_another(
    here: Stage, lina: FlaskClient, omar: FlaskClient
) -> None:
    app = here.app(ASK)
    run_id = run_of(here, start(lina, app))
    for path in (f"/runs/{run_id}", f"/runs/{run_id}/events"):
        assert omar.get(path).status_code == 404
    assert send(omar, f"/apps/{app.ident}", f"/runs/{run_id}/stop").status_code == 404
    assert str(run_id) in lina.get("/runs").text
    assert str(run_id) not in omar.get("/runs").text


def test_visitors_are_asked_to_sign_in(here: Stage, app: Flask, lina: FlaskClient) -> None:
    run_id = run_of(here, start(lina, here.app()))
    answer = app.test_client().get(f"/runs/{run_id}")
    assert (answer.status_code, f"next=/runs/{run_id}" in answer.location) == (303, True)


def test_a_run_is_stopped_from_its_page(here: Stage, lina: FlaskClient) -> None:
    assert isinstance(here.inference, FakeInference)
    app = here.app(ASK)
    here.inference.gate.clear()
    try:
        answer = start(lina, app)
        with here.database.reading() as session:
            run = session.exec(select(Run)).one()
        here.wait(run.id, until="text")
        assert "data-controller" in lina.get(f"/runs/{run.id}").text
        stopped = send(lina, f"/apps/{app.ident}", f"/runs/{run.id}/stop")
    finally:
        here.inference.gate.set()
    assert stopped.status_code == 303
    assert here.run(run_of(here, answer)).state is RunState.STOPPED
    assert "You stopped this run" in lina.get(f"/runs/{run.id}").text
    again = send(lina, f"/apps/{app.ident}", f"/runs/{run.id}/stop")
    assert again.status_code == 303


def test_a_form_that_does_not_fit_comes_back_with_what_was_typed(
    here: Stage, lina: FlaskClient
) -> None:
    answer = start(lina, here.app(), text="much more than twenty characters")
    assert answer.status_code == 422
    assert "much more than twenty characters" in answer.text
    assert "20 is the most" in answer.text
    with here.database.reading() as session:
        assert session.exec(select(Run)).all() == []


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
    assert "My notes.txt (0 KB)" in page
    assert here.run(run_id).permissions_used == ["files.read"]
    # The value that stands for a file is made by the store; a form cannot write one.
    file_id = here.run(run_id).input["file"]["file"]
    forged = {"file": file_id, "file.file": file_id, "-allow": "files.read"}
    assert start(omar, app, **forged).status_code == 422


@pytest.mark.parametrize(
    ("data", "name", "told"),
    [(b"x" * 21, "a.txt", "is the most"), (b"x", "a.exe", "these kinds: .txt"), (b"", "", "fill")],
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
        token = make_token(session, make_account(session), now=utc_now()).secret
    headers = {"Authorization": f"Bearer {token}"}

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
    for body in ("[1]", "{", '{"input": 5}'):
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


def test_an_unknown_action_is_refused(here: Stage, lina: FlaskClient) -> None:
    answer = send(lina, f"/apps/{(app := here.app()).ident}", f"/apps/{app.ident}/runs")
    assert answer.status_code in {404, 422}
    assert "no such action" in answer.text


def test_an_app_that_must_be_bought_does_not_run(here: Stage, lina: FlaskClient) -> None:
    app = here.app()
    with here.database.writing() as session:
        make_product(session, app)
    answer = send(lina, "/accounts/settings", f"/apps/{app.ident}/runs", **{"-action": "go"})
    assert (answer.status_code, "Buy this app first" in answer.text) == (403, True)


def test_a_person_with_enough_runs_going_is_told_to_wait(
    here: Stage, app: Flask, empty_database: Database
) -> None:
    client = app.test_client()
    person = sign_in(empty_database, client)
    runnable = here.app()
    given: dict[str, Any] = {"person_id": person.id, "state": RunState.RUNNING}
    for _ in range(3):
        here.queued(runnable, executor="another-host-1-abc", **given)
    answer = start(client, runnable)
    assert (answer.status_code, "3 runs going" in answer.text) == (429, True)
    assert int(answer.headers["Retry-After"]) > 0


def test_the_list_of_runs_turns_its_pages(
    here: Stage, app: Flask, empty_database: Database
) -> None:
    client = app.test_client()
    person = sign_in(empty_database, client)
    runnable = here.app()
    for _ in range(21):
        here.queued(runnable, person_id=person.id, state=RunState.FINISHED)
    assert client.get("/runs").text.count("run-row-facts") == 20
    assert client.get("/runs?page=2").text.count("run-row-facts") == 1
    assert client.get("/runs?page=oasis").status_code == 200


def test_an_earlier_input_comes_back_to_be_edited(
    here: Stage, lina: FlaskClient, omar: FlaskClient
) -> None:
    app = here.app()
    again = f"/apps/{app.ident}?again={run_of(here, start(lina, app, text='salam'))}"
    assert "salam" in lina.get(again).text
    assert "salam" not in omar.get(again).text
    assert "salam" not in lina.get(again.replace(app.ident, here.app().ident)).text
    assert lina.get(f"/apps/{app.ident}?again=yesterday").status_code == 200


def audit_of(client: FlaskClient, run_id: RunId) -> tuple[str, list[dict[str, Any]]]:
    """The page of a run's audit log, and the lines of its file."""
    page, file = (client.get(f"{part}/runs/{run_id}/audit") for part in ("", "/api/v1"))
    assert (page.status_code, file.status_code) == (200, 200)
    return page.text, [json.loads(line) for line in file.text.splitlines()]


def test_a_person_reads_all_that_their_run_asked(lina: FlaskClient, here: Stage) -> None:
    run_id = run_of(here, start(lina, here.app(ASK), text="a secret word"))
    page, lines = audit_of(lina, run_id)
    assert "llm.open" in page
    assert "Only you can see what was said" in page
    assert lines[0]["input"] == {"text": "a secret word"}
    assert lines[2]["payload"]["messages"] == [{"role": "user", "content": "hello there"}]


def test_others_read_sizes_or_nothing_at_all(
    app: Flask, lina: FlaskClient, omar: FlaskClient, here: Stage, empty_database: Database
) -> None:
    shown = here.app(ASK)
    run_id = run_of(here, start(lina, shown, text="a secret word"))
    assert omar.get(f"/runs/{run_id}/audit").status_code == 404
    assert omar.get(f"/api/v1/runs/{run_id}/audit").status_code == 404
    maker, operator = app.test_client(), app.test_client()
    with empty_database.writing() as session:
        owner = session.get_one(Account, shown.owner_id)
        maker.set_cookie("caravan", make_session(session, owner, now=utc_now()))
    sign_in(empty_database, operator, is_operator=True)
    for client in (maker, operator):
        page, lines = audit_of(client, run_id)
        assert "llm.open" in page
        assert "secret word" not in page + str(lines)
        assert "hello there" not in str(lines)
        assert lines[2]["payload_bytes"] > 20
        assert [line["op"] for line in lines[1:4]] == ["output.write", "llm.open", "llm.next"]


def test_one_who_used_up_the_hour_gets_429_and_when_to_come_back(
    lina: FlaskClient, here: Stage, empty_database: Database
) -> None:
    shown = here.app()
    run = here.run(run_of(here, start(lina, shown)))
    with empty_database.writing() as session:
        parties = budgets.parties(AccountId(run.person_id), AppId(shown.id), RunSettings())
        budgets.charge(session, parties, Amounts(cpu_ms=600_000), now=utc_now())
    answer = start(lina, shown)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert "hour" in answer.text


def test_an_app_asks_in_plain_words_before_its_first_run(lina: FlaskClient, here: Stage) -> None:
    shown = here.app(ASK, permissions=("llm.generate", "kv.app"))
    page = f"/apps/{shown.ident}"
    before = lina.get(page).text
    assert "Before its first run" in before
    assert "For tests." in before
    assert 'name="-allow" value="llm.generate,kv.app"' in before
    refused = send(lina, page, f"{page}/runs", **{"-action": "go", "-allow": "kv.app"})
    assert refused.status_code == 403
    assert "Uses the store" in refused.text
    with here.database.reading() as session:
        assert session.exec(select(Run)).all() == []
    run_of(
        here, send(lina, page, f"{page}/runs", **{"-action": "go", "-allow": "llm.generate,kv.app"})
    )
    assert "Before its first run" not in lina.get(page).text
    again = send(lina, page, f"{page}/runs", **{"-action": "go"})
    assert again.status_code == 303
    here.wait(RunId(UUID(again.location.rpartition("/")[2])))


def test_a_program_is_told_which_permissions_are_missing(lina: FlaskClient, here: Stage) -> None:
    shown = here.app(permissions=("kv.user",))
    page = f"/apps/{shown.ident}"
    [token, *_] = TOKEN.findall(lina.get(page).text)
    answer = lina.post(
        f"{page}/runs",
        data={"-action": "go", "csrf_token": token},
        headers={"Accept": "application/json"},
    )
    assert (answer.status_code, answer.json and answer.json["rule"]) == (403, "consent.needed")
    assert answer.json
    assert answer.json["permissions"] == ["kv.user"]


def test_permissions_are_seen_and_taken_back_on_one_page(lina: FlaskClient, here: Stage) -> None:
    shown = here.app(permissions=("kv.user",))
    run_of(here, start(lina, shown))
    page = lina.get("/permissions").text
    assert "Remembers things for you between runs." in page
    assert "For tests." in page
    answer = send(lina, "/permissions", f"/permissions/{shown.ident}/revoke")
    assert answer.status_code == 303
    assert "Nothing here yet" in lina.get("/permissions").text
    page = f"/apps/{shown.ident}"
    assert send(lina, page, f"{page}/runs", **{"-action": "go"}).status_code == 403
    assert send(lina, page, f"/permissions/{shown.ident}/revoke").status_code == 404


def test_taking_back_stops_what_the_app_does_now(lina: FlaskClient, here: Stage) -> None:
    assert isinstance(here.inference, FakeInference)
    here.inference.gate.clear()
    shown = here.app(ASK)
    start(lina, shown)
    with here.database.reading() as session:
        [run] = session.exec(select(Run)).all()
    here.wait(run.id, until="text")
    send(lina, "/permissions", f"/permissions/{shown.ident}/revoke")
    here.wait(run.id)
    here.inference.gate.set()
    assert here.run(run.id).state is RunState.STOPPED


def test_an_app_that_must_be_set_up_first_says_so_and_does_not_run(
    here: Stage, lina: FlaskClient
) -> None:
    setting = {"name": "tone", "type": "text", "label": "Your tone", "required": True}
    app = here.app(setting=[setting])
    page = lina.get(f"/apps/{app.ident}").text
    assert "needs to be set up: Your tone." in page
    answer = start(lina, app)
    assert answer.status_code == 409
    assert "Set this up first: Your tone" in answer.text
    send(lina, f"/apps/{app.ident}/settings", tone="dry")
    run_of(here, start(lina, app))


def test_what_runs_by_itself_and_its_runs_say_so(here: Stage, lina: FlaskClient) -> None:
    app = here.app(permissions=(), schedule=[{"action": "go", "every": "1d"}])
    run_id = run_of(here, start(lina, app))
    assert "schedule" not in lina.get(f"/runs/{run_id}").text + lina.get("/runs").text
    send(lina, f"/apps/{app.ident}/settings", f"/apps/{app.ident}/schedules/go", is_on="yes")
    with here.database.writing() as session:
        session.get_one(Run, run_id).is_scheduled = True
    page = lina.get("/runs").text
    assert "every day" in page
    for text in (page, lina.get(f"/runs/{run_id}").text):
        assert "Started by its schedule" in text
