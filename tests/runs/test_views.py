"""The pages and streams of runs, as a browser gets them."""

import json
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, g, request
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from marketplace.accounts.models import Account
from marketplace.catalog import service as catalog
from marketplace.catalog.models import App, Channel, Release
from marketplace.inference.fake import FakeInference
from marketplace.inference.ports import EngineStatus, ServedModel, Wants
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId, AppId, RunId
from marketplace.publishing import code
from marketplace.runs import budgets, wishes
from marketplace.runs.models import Run, RunState
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.budgets import Amounts
from tests.factories.accounts import make_session
from tests.factories.catalog import make_product, make_release, manifest_of
from tests.factories.pages import send, sign_in
from tests.factories.run_pages import ASK, run_of, start, streamed
from tests.factories.runs import Stage
from tests.factories.sandbox import HEAD


def test_a_run_begins_and_its_page_shows_what_came_out(here: Stage, lina: FlaskClient) -> None:
    run_id = run_of(here, start(lina, here.app(ASK), text="salam"))
    page = lina.get(f"/runs/{run_id}").text
    assert "It said: Hello." in page
    assert "salam" in page
    assert "receipt" in page


def test_a_beta_version_is_on_its_page_and_runs_for_those_who_ask_for_it(
    here: Stage, lina: FlaskClient, omar: FlaskClient
) -> None:
    app = here.app("yield 'stable'")
    with here.database.writing() as session:
        stable = session.get_one(Release, app.current_release_id)
        key = code.store(here.blobs, {"app.py": f"{HEAD}    yield 'beta'\n".encode()})
        manifest = manifest_of(app.ident, "1.1.0", app={"changes": "Quicker *tea*."})
        beta = make_release(
            session,
            app=session.get_one(App, app.id),
            version="1.1.0",
            manifest=manifest,
            actions=stable.actions,
            channel=Channel.BETA,
            code_key=key,
        )
        catalog.publish(session, beta, now=utc_now())
    page = f"/apps/{app.ident}"
    assert "Quicker <em>tea</em>." in lina.get(page).text
    assert "Try beta versions" in lina.get(page).text
    assert send(lina, page, f"{page}/beta", is_mine="1").status_code == 303
    shown = lina.get(page).text
    assert "You run this version" in shown
    assert "Back to the stable version" in shown
    assert here.run(run_of(here, start(lina, app))).output[0]["text"] == "beta"
    other = start(omar, app)
    assert here.run(last_run(here, other)).output[0]["text"] == "stable"
    send(lina, page, f"{page}/beta")
    assert here.run(last_run(here, start(lina, app))).output[0]["text"] == "stable"


def last_run(here: Stage, answer: TestResponse) -> RunId:
    """The run a redirect leads to among several, once it is over."""
    run_id = RunId(UUID(answer.location.rpartition("/")[2]))
    here.wait(run_id)
    return run_id


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


def test_an_input_that_is_too_long_comes_back_as_it_was_typed(
    here: Stage, lina: FlaskClient
) -> None:
    answer = start(lina, here.app(), text="salam" + "ش" * 131_072)
    assert answer.status_code == 422
    assert "has 262,160 bytes, and at most 262,144 are taken" in answer.text
    assert "salamششش" in answer.text
    with here.database.reading() as session:
        assert session.exec(select(Run)).all() == []


def test_no_writer_waits_while_the_engine_is_asked(
    here: Stage, lina: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, asked = here.app(), list[tuple[str, bool]]()

    def status() -> EngineStatus:
        asked.append((request.method, "db" in g))
        return EngineStatus(ready=True)

    monkeypatch.setattr(here.inference, "status", status)
    assert start(lina, app).status_code == 303
    assert asked[-1] == ("POST", False)


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
    page = lina.get(f"/runs/{run_id}").text
    assert "no camel" in page
    assert 'class="run-stage run-stage-failed"' in page
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
