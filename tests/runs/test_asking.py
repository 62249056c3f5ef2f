"""A form in the middle of a run: shown, answered once, and waited for only so long."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from marketplace.infra.db import Database
from marketplace.kernel.ids import RunId, new_id
from marketplace.runs.asking import MAX_SCHEMA_CHARACTERS, Asking
from marketplace.runs.events import EventLogs
from marketplace.runs.models import RunState
from marketplace.runs.questions import Question, Questions
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.desk import block
from marketplace.sandbox.ports import Later, Refused
from tests.factories.runs import Stage, stage

FORM = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
GUESS = """
from dataclasses import dataclass
from typing import Annotated
from caravan import App, Context, Field, Form, HostError
app = App()

@dataclass
class Guess:
    number: Annotated[int, Field(ge=1, le=9)]

@app.action("Go")
def go(ctx: Context):
    try:
        guess = yield Form(Guess, "Which number?")
        again = ctx.ask(Guess, "And now?")
        yield f"{guess.number} and {again.number}"
    except HostError as refused:
        yield refused.code
"""


@pytest.fixture
def here(empty_database: Database, tmp_path: Path) -> Iterator[Stage]:
    settings = RunSettings(form_wait_s=20, forms=3)
    with stage(empty_database, tmp_path, settings=settings) as made:
        yield made


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Asking]:
    """The asking of one run that has a page."""
    run_id = RunId(new_id())
    settings = RunSettings(form_wait_s=5, forms=2)
    with closing(EventLogs(tmp_path).open(run_id)) as events:
        yield Asking(run_id, Questions(tmp_path / "asked"), events, settings, has_page=True)


def ask(asking: Asking, **payload: Any) -> Any:
    """What an app gets that asks, when its thread may wait."""
    later = asking.operations["form.ask"]({"schema": FORM, "title": "Where?", **payload})
    assert isinstance(later, Later)
    try:
        block(later)
        return later.answer()
    finally:
        later.close()


def refusal(asking: Asking, **payload: Any) -> str:
    with pytest.raises(Refused) as refused:
        ask(asking, **payload)
    assert refused.value.message.endswith(".")
    return refused.value.code


def answering(questions: Questions, run_id: RunId, *values: dict[str, Any]) -> threading.Thread:
    """Somebody who answers each form of a run as it comes."""

    def answer() -> None:
        for number, each in enumerate(values, 1):
            while (asked := questions.pending(run_id)) is None or asked.number != number:
                threading.Event().wait(0.005)
            questions.answer(run_id, number, each)

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def test_a_run_goes_on_with_the_answers_of_its_person(here: Stage) -> None:
    run_id = here.queued(here.described(GUESS, permissions=()))
    here.executor.start(run_id, has_page=True)
    answering(here.questions, run_id, {"number": 4}, {"number": 7}).join()
    here.wait(run_id)
    run = here.run(run_id)
    assert (run.state, run.output[0]["text"]) == (RunState.FINISHED, "4 and 7")
    names = [(name, data.get("number")) for name, data in here.events(run_id)]
    assert names[1:5] == [("asked", 1), ("answered", 1), ("asked", 2), ("answered", 2)]
    calls = [line for line in here.audits.lines(run_id) if line.get("op") == "form.ask"]
    assert [call["answer"] for call in calls] == [{"number": 4}, {"number": 7}]
    assert calls[0]["payload"]["title"] == "Which number?"


def test_a_run_without_a_page_asks_nobody(here: Stage) -> None:
    run = here.perform(here.described(GUESS, permissions=()))
    assert run.output[0]["text"] == "form.no-page"


def test_a_run_that_waits_can_be_stopped(here: Stage) -> None:
    run_id = here.queued(here.described(GUESS, permissions=()))
    here.executor.start(run_id, has_page=True)
    here.wait(run_id, until="asked")
    here.executor.stop(run_id)
    here.wait(run_id)
    assert here.run(run_id).state is RunState.STOPPED
    assert here.questions.pending(run_id) is None


def test_what_a_dead_process_asked_is_asked_no_more(here: Stage) -> None:
    run_id = here.queued(
        here.described(GUESS, permissions=()), executor="gone", state=RunState.RUNNING
    )
    here.questions.ask(run_id, Question(1, "Where?", FORM, 0.0))
    here.executor._end_lost(run_id, "store.web-ended", "The process is gone.")
    assert here.questions.pending(run_id) is None
    assert here.run(run_id).state is RunState.FAILED


def test_nobody_is_waited_for_without_end(found: Asking) -> None:
    found.left_s = 0.05
    assert refusal(found) == "form.unanswered"
    # The time counts over all forms of the run, so that a loop of them ends too.
    assert refusal(found) == "form.unanswered"
    assert found.questions.pending(found.run_id) is None


def test_a_run_asks_only_so_often(found: Asking) -> None:
    answers = answering(found.questions, found.run_id, {"city": "Fes"}, {"city": "Rabat"})
    assert [ask(found), ask(found)] == [{"city": "Fes"}, {"city": "Rabat"}]
    answers.join()
    assert refusal(found) == "limit.forms"


def test_the_first_answer_stands(tmp_path: Path) -> None:
    questions, run_id = Questions(tmp_path), RunId(new_id())
    questions.ask(run_id, Question(1, "", FORM, 0.0))
    questions.answer(run_id, 1, {"city": "Fes"})
    assert questions.pending(run_id) is None
    questions.answer(run_id, 1, {"city": "Rabat"})
    assert questions.wait(run_id, 1, 0) == {"city": "Fes"}
    assert len(list(tmp_path.iterdir())) == 2


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    "payload",
    [
        {"schema": None},
        {"schema": []},
        {"title": 5},
        {"schema": {"type": "array"}},
        {"schema": nested(9)},
        {"schema": nested(200)},
        {"schema": {**FORM, "$ref": "http://169.254.169.254/"}},
        {"schema": {**FORM, "title": "x" * MAX_SCHEMA_CHARACTERS}},
        {"schema": {"type": "object", "properties": {str(n): {} for n in range(400)}}},
        {
            "schema": {
                "type": "object",
                "properties": {
                    "rows": {"type": "array", "minItems": 10**9, "items": {"type": "object"}}
                },
            }
        },
        {"schema": {"type": "object", "properties": {"a": {"type": "object", "default": "x"}}}},
        {
            "schema": {
                "type": "object",
                "properties": {"a": {"type": "object", "format": "caravan-file"}},
            }
        },
    ],
)
def test_a_form_that_cannot_be_drawn_is_refused_at_once(
    found: Asking, payload: dict[str, Any]
) -> None:
    assert refusal(found, **payload) == "form.schema"
    assert found.questions.pending(found.run_id) is None


def test_a_pattern_that_would_run_for_hours_is_not_run_by_the_store(found: Asking) -> None:
    field = {"type": "string", "pattern": "^(a+)+$"}
    thread = answering(found.questions, found.run_id, {"city": "a" * 40 + "b"})
    form = {"type": "object", "properties": {"city": field}}
    assert json.dumps(ask(found, schema=form)).count("a") == 40
    thread.join()
