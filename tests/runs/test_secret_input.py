"""Secret inputs of a run: the app gets them, and nothing that is kept has them."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from marketplace.infra.db import Database
from marketplace.runs import secret_input
from marketplace.runs.models import Run, RunState
from tests.factories.accounts import NOON
from tests.factories.runs import GO, VAULT, Stage, stage

SECRET = "hunter2"
ACTIONS = deepcopy(GO)
ACTIONS["actions"][0]["input_schema"]["properties"]["text"]["writeOnly"] = True
SCHEMA = ACTIONS["actions"][0]["input_schema"]


@pytest.fixture
def here(empty_database: Database, tmp_path: Path) -> Iterator[Stage]:
    with stage(empty_database, tmp_path) as made:
        yield made


def queued(here: Stage, body: str) -> Run:
    run = here.run(here.queued(here.app(body, actions=ACTIONS)))
    with here.database.writing() as session:
        run = session.get_one(Run, run.id)
        secret_input.keep(run, {"text": SECRET}, SCHEMA, VAULT)
    return run


def performed(here: Stage, body: str) -> Run:
    run = queued(here, body)
    here.executor.start(run.id)
    here.wait(run.id)
    return here.run(run.id)


def test_the_app_gets_what_nothing_that_is_kept_has(here: Stage) -> None:
    body = (
        "assert text == 'hunter2'\nctx.kv.user.set('a', text)\nctx.log.info(f'key {text}')\n"
        "yield str(len(text))"
    )
    assert SECRET not in str(queued(here, body).model_dump())
    with capture_logs() as said:
        run = performed(here, body)
    assert (run.state, run.output[0]["text"]) == (RunState.FINISHED, "7")
    assert (run.input, run.sealed_input) == ({"text": "••••••"}, None)
    log = here.audits.path(run.id).read_text()
    assert SECRET not in log
    header, *calls, _end = map(json.loads, log.splitlines())
    assert (header["input"], header["withheld"]) == ({"text": "••••••"}, ["text"])
    assert calls[0]["payload"]["value"] == "••••••"
    assert SECRET not in str(said)
    assert "key ••••••" in str(calls)


def test_what_goes_wrong_is_told_without_the_secret(here: Stage) -> None:
    run = performed(here, "raise ValueError('no luck with ' + text)")
    assert (run.state, run.sealed_input) == (RunState.FAILED, None)
    assert "no luck with ••••••" in f"{run.error_message} {run.error_detail}"
    assert SECRET not in str(run.model_dump())


def test_a_run_whose_key_is_gone_ends_with_a_sentence(here: Stage) -> None:
    run = queued(here, "yield 'x'")
    with here.database.writing() as session:
        # As if the sealed text were another run's.
        row = session.get_one(Run, run.id)
        row.sealed_input = VAULT.seal("{}", "elsewhere")
    here.executor.start(run.id)
    here.wait(run.id)
    ended = here.run(run.id)
    assert (ended.state, ended.sealed_input) == (RunState.FAILED, None)
    assert "please start it again" in (ended.error_message or "")


def test_an_input_without_secrets_is_sealed_nowhere() -> None:
    run = Run(action="go", created_at=NOON, state_changed_at=NOON)
    secret_input.keep(run, {"text": "salam"}, GO["actions"][0]["input_schema"], VAULT)
    assert (run.input, run.sealed_input) == ({"text": "salam"}, None)
