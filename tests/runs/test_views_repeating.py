"""A run once more: with one press what can be repeated, with its filled form what cannot."""

import shutil
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from marketplace.billing import queries as billing
from marketplace.catalog.models import App, AppState, Release
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId, AppId, RunId
from marketplace.runs import budgets
from marketplace.runs.models import Consent, Run, RunState
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.budgets import Amounts
from tests.factories.catalog import make_product
from tests.factories.pages import send
from tests.factories.run_pages import run_of, start
from tests.factories.runs import Stage

EVERYTHING = """
from dataclasses import dataclass
from typing import Annotated
from caravan import App, Context, Field, File, Secret
app = App()

@dataclass
class Box:
    notes: Annotated[File, Field(accept=(".txt",))] | None = None

@dataclass
class Row:
    name: str
    key: Secret | None = None

@app.action("Look")
def look(ctx: Context):
    yield "looked"

@app.action("Go")
def go(
    ctx: Context,
    text: Annotated[str, Field(max_length=20)] = "",
    file: File | None = None,
    box: Box | None = None,
    word: Secret | None = None,
    rows: list[Row] | None = None,
):
    kept = [each.text() for each in (file, box and box.notes) if each]
    yield f"{text} {kept} {len(word or '')}"
"""


def again(client: FlaskClient, run_id: RunId) -> TestResponse:
    return send(client, "/accounts/settings", f"/runs/{run_id}/again")


def repeated(here: Stage, answer: TestResponse) -> Run:
    """The run that the answer leads to, once it is over."""
    assert answer.status_code == 303, answer.text
    run_id = RunId(UUID(answer.location.rpartition("/")[2]))
    here.wait(run_id)
    return here.run(run_id)


def runs(here: Stage) -> int:
    with here.database.reading() as session:
        return len(session.exec(select(Run.id)).all())


def described(here: Stage) -> App:
    return here.described(EVERYTHING, permissions=("files.read",))


def filled(here: Stage, client: FlaskClient, app: App, **fields: Any) -> RunId:
    return run_of(here, start(client, app, **{"-allow": "files.read", **fields}))


def test_one_press_runs_the_same_once_more_and_the_page_offers_it(
    here: Stage, lina: FlaskClient
) -> None:
    app = here.app("yield text")
    run_id = run_of(here, start(lina, app, text="salam"))
    page = lina.get(f"/runs/{run_id}").text
    assert f'action="/runs/{run_id}/again"' in page
    assert f'href="/apps/{app.ident}?again={run_id}#run"' in page
    second = repeated(here, again(lina, run_id))
    assert second.id != run_id
    assert (second.input, second.output[0]["text"]) == ({"text": "salam"}, "salam")


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.STOPPED])
def test_so_does_a_run_that_failed_or_was_stopped(
    here: Stage, lina: FlaskClient, state: RunState
) -> None:
    run_id = run_of(here, start(lina, here.app("yield text"), text="salam"))
    with here.database.writing() as session:
        session.get_one(Run, run_id).state = state
    assert "data-run-again>" in lina.get(f"/runs/{run_id}").text
    assert repeated(here, again(lina, run_id)).output[0]["text"] == "salam"


def test_while_a_run_goes_on_its_page_keeps_the_button_back(here: Stage, lina: FlaskClient) -> None:
    run_id = run_of(here, start(lina, here.app()))
    with here.database.writing() as session:
        session.get_one(Run, run_id).state = RunState.RUNNING
    assert "data-run-again hidden>" in lina.get(f"/runs/{run_id}").text


def test_nobody_repeats_the_run_of_another(
    here: Stage, lina: FlaskClient, omar: FlaskClient
) -> None:
    run_id = run_of(here, start(lina, here.app(), text="salam"))
    assert again(omar, run_id).status_code == 404
    assert lina.post(f"/runs/{run_id}/again").status_code == 403
    assert runs(here) == 1


def test_the_version_of_today_runs(here: Stage, lina: FlaskClient) -> None:
    app = here.described(EVERYTHING, permissions=())
    run_id = filled(here, lina, app, text="salam")
    _describe(here, app, EVERYTHING.replace('f"{text}', 'f"new {text}'))
    assert repeated(here, again(lina, run_id)).output[0]["text"] == "new salam [] 0"


def test_files_that_are_kept_are_given_once_more(here: Stage, lina: FlaskClient) -> None:
    files = {"file": (BytesIO(b"by the well"), "a.txt"), "box.notes": (BytesIO(b"2"), "b.txt")}
    run_id = filled(here, lina, described(here), **files)
    second = repeated(here, again(lina, run_id))
    assert second.output[0]["text"] == " ['by the well', '2'] 0"
    first = here.run(run_id)
    assert second.input["file"]["file"] != first.input["file"]["file"]
    assert second.input["box"]["notes"]["name"] == "b.txt"
    # They are its own: the earlier run's may go.
    shutil.rmtree(here.folder / "files" / str(first.person_id) / str(run_id))
    assert repeated(here, again(lina, RunId(second.id))).output[0]["text"].startswith(" ['by")


def test_a_file_that_is_gone_leads_to_the_form(here: Stage, lina: FlaskClient) -> None:
    app = described(here)
    run_id = filled(here, lina, app, text="salam", file=(BytesIO(b"x"), "a.txt"))
    shutil.rmtree(here.folder / "files" / str(here.run(run_id).person_id) / str(run_id))
    answer = again(lina, run_id)
    assert answer.status_code == 422
    assert 'href="#file">This file is kept no longer. Please choose it again.' in answer.text
    assert 'value="salam"' in answer.text
    assert f'action="/apps/{app.ident}/runs"' in answer.text
    assert runs(here) == 1


def test_a_file_the_app_takes_no_longer_leads_to_the_form(here: Stage, lina: FlaskClient) -> None:
    app = described(here)
    run_id = filled(here, lina, app, **{"box.notes": (BytesIO(b"x"), "a.txt")})
    _describe(here, app, EVERYTHING.replace('(".txt",)', '(".csv",)'))
    answer = again(lina, run_id)
    assert (answer.status_code, "takes files of these kinds" in answer.text) == (422, True)


def test_a_secret_is_asked_for_anew_and_its_mark_fills_no_field(
    here: Stage, lina: FlaskClient
) -> None:
    fields = {"word": "hunter2", "rows.0.name": "Fes", "rows.0.key": "hunter3"}
    app = described(here)
    run_id = filled(here, lina, app, **fields)
    answer = again(lina, run_id)
    assert answer.status_code == 422
    assert answer.text.count("Secrets are not kept. Please type it again.") >= 2
    for page in (answer.text, lina.get(f"/apps/{app.ident}?again={run_id}").text):
        assert 'value="Fes"' in page
        assert "•" not in page
        assert "hunter" not in page
    assert runs(here) == 1


def test_a_mark_is_no_secret_even_where_the_field_is_open_today(
    here: Stage, lina: FlaskClient
) -> None:
    app = described(here)
    run_id = filled(here, lina, app, word="hunter2")
    _describe(here, app, EVERYTHING.replace("word: Secret", "word: str"))
    answer = again(lina, run_id)
    assert (answer.status_code, "•" in answer.text, runs(here)) == (422, False, 1)


def test_an_input_that_fits_no_longer_leads_to_the_form(here: Stage, lina: FlaskClient) -> None:
    app = described(here)
    run_id = filled(here, lina, app, text="a longer word")
    _describe(here, app, EVERYTHING.replace("max_length=20", "max_length=5"))
    answer = again(lina, run_id)
    assert (answer.status_code, "5 is the most" in answer.text) == (422, True)
    assert 'value="a longer word"' in answer.text


def test_an_action_that_is_gone_leads_to_the_form_of_another(
    here: Stage, lina: FlaskClient
) -> None:
    app = described(here)
    run_id = filled(here, lina, app, text="salam")
    _describe(here, app, EVERYTHING.replace("def go(", "def come("))
    answer = again(lina, run_id)
    assert (answer.status_code, "no such action" in answer.text) == (422, True)
    assert 'open name="action"><summary><bdi>Look' in answer.text


def test_who_took_their_permission_back_is_asked_again(here: Stage, lina: FlaskClient) -> None:
    app = here.app("yield text", permissions=("kv.user",))
    run_id = run_of(here, start(lina, app, text="salam", **{"-allow": "kv.user"}))
    with here.database.writing() as session:
        session.delete(session.exec(select(Consent)).one())
    answer = again(lina, run_id)
    assert (answer.status_code, "Allow and run" in answer.text) == (403, True)
    assert 'name="-allow" value="kv.user"' in answer.text
    assert 'value="salam"' in answer.text
    assert runs(here) == 1


def test_who_has_not_bought_the_app_any_more_is_offered_it(here: Stage, lina: FlaskClient) -> None:
    app = here.app()
    run_id = run_of(here, start(lina, app))
    with here.database.writing() as session:
        make_product(session, app)
        assert billing.product_needed(session, AccountId(here.run(run_id).person_id), AppId(app.id))
    answer = again(lina, run_id)
    assert answer.status_code == 403
    assert "Buy for" in answer.text
    assert runs(here) == 1


def test_an_app_that_must_be_set_up_leads_there(here: Stage, lina: FlaskClient) -> None:
    app = here.app()
    run_id = run_of(here, start(lina, app))
    with here.database.writing() as session:
        release = session.get_one(Release, app.current_release_id)
        needed = {"name": "tone", "type": "text", "label": "Your tone", "required": True}
        release.manifest = {**release.manifest, "setting": [needed]}
    answer = again(lina, run_id)
    assert (answer.status_code, "needs to be set up: Your tone" in answer.text) == (409, True)


@pytest.mark.parametrize("state", [AppState.HIDDEN, AppState.BLOCKED])
def test_an_app_that_is_withdrawn_is_not_run_and_not_offered(
    here: Stage, lina: FlaskClient, state: AppState
) -> None:
    run_id = run_of(here, start(lina, here.app()))
    with here.database.writing() as session:
        session.get_one(App, here.run(run_id).app_id).state = state
    assert again(lina, run_id).status_code == 404
    page = lina.get(f"/runs/{run_id}").text
    assert "Run again" not in page
    assert "Edit input" not in page
    assert runs(here) == 1


def test_an_hour_that_is_used_up_holds_for_it_too(
    here: Stage, lina: FlaskClient, empty_database: Database
) -> None:
    app = here.app()
    run = here.run(run_of(here, start(lina, app)))
    with empty_database.writing() as session:
        parties = budgets.parties(AccountId(run.person_id), AppId(app.id), RunSettings())
        budgets.charge(session, parties, Amounts(cpu_ms=600_000), now=utc_now())
    answer = again(lina, RunId(run.id))
    assert (answer.status_code, runs(here)) == (429, 1)
    assert int(answer.headers["Retry-After"]) > 0


def _describe(here: Stage, app: App, source: str) -> None:
    """Let the app's live release be another program."""
    other = here.described(source, permissions=())
    with here.database.writing() as session:
        session.get_one(App, app.id).current_release_id = other.current_release_id
