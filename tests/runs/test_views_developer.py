"""What a developer's command line asks of a store: the model, and the log of an app's runs."""

import json
from collections.abc import Iterator
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from marketplace.inference.fake import FakeInference
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId
from marketplace.runs import budgets, views_developer
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.budgets import Amounts
from marketplace.web.sse import Streams
from tests.factories.accounts import make_account, make_token
from tests.factories.pages import make_store
from tests.factories.runs import Stage, stage

ASKED = {"messages": [{"role": "user", "content": "Salam"}], "max_tokens": 9_999}


@pytest.fixture
def here(empty_database: Database, tmp_path: Path) -> Iterator[Stage]:
    with stage(empty_database, tmp_path, inference=FakeInference(("Hel", "lo"))) as made:
        yield made


@pytest.fixture
def client(here: Stage) -> FlaskClient:
    room = views_developer.blueprint(
        here.database, here.inference, here.audits, here.blobs, RunSettings(), streams=Streams(2)
    )
    return make_store(here.database, room, publishing__portal="/portal/").test_client()


def developer(here: Stage, **given: Any) -> tuple[AccountId, dict[str, str]]:
    """A developer's id, and the header of their token."""
    with here.database.writing() as session:
        account = make_account(session, **{"is_developer": True, **given})
        secret = make_token(session, account, now=utc_now()).secret
        return AccountId(account.id), {"Authorization": f"Bearer {secret}"}


def events(text: str) -> list[tuple[str, Any]]:
    """Name and data of each event of a stream."""
    blocks = [block.splitlines() for block in text.strip().split("\n\n")]
    return [
        (lines[1].removeprefix("event: "), json.loads(lines[2].removeprefix("data: ")))
        for lines in blocks
    ]


def used_tokens(here: Stage, person_id: AccountId) -> int:
    """What counts in a person's hour."""
    party = budgets.person(person_id, RunSettings())
    with here.database.reading() as session:
        left = budgets.left(session, (party, party), now=utc_now())
    return party.allowed.llm_tokens - left.llm_tokens


def test_the_model_answers_piece_by_piece_and_counts_in_the_developers_hour(
    here: Stage, client: FlaskClient
) -> None:
    person_id, headers = developer(here)
    answer = client.post("/api/v1/model", json=ASKED, headers=headers)
    assert events(answer.text) == [
        ("piece", {"text": "Hel"}),
        ("piece", {"text": "lo"}),
        ("end", {"end": "stop"}),
    ]
    assert isinstance(here.inference, FakeInference)
    [asked] = here.inference.asked
    assert (asked.app, asked.person) == (views_developer.QUEUE, str(person_id))
    assert asked.max_tokens == views_developer.MOST_TOKENS
    assert used_tokens(here, person_id) == 3


def test_whoever_hangs_up_pays_for_the_prompt_and_what_was_made(
    here: Stage, client: FlaskClient
) -> None:
    person_id, headers = developer(here)
    words = {"messages": [{"role": "user", "content": "one two three four"}]}
    answer = client.post("/api/v1/model", json=words, headers=headers, buffered=False)
    assert next(iter(answer.response))
    answer.close()
    assert used_tokens(here, person_id) == 5


def test_an_hour_that_is_used_up_refuses_with_the_time_to_wait(
    here: Stage, client: FlaskClient
) -> None:
    person_id, headers = developer(here)
    party = budgets.person(person_id, RunSettings())
    with here.database.writing() as session:
        spent = Amounts(llm_tokens=party.allowed.llm_tokens)
        budgets.charge(session, [party], spent, now=utc_now())
    answer = client.post("/api/v1/model", json=ASKED, headers=headers)
    assert (answer.status_code, answer.get_json()["rule"]) == (429, "budget.person.llm_tokens")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("payload", "rule"),
    [
        ([], "llm.payload"),
        ({**ASKED, "max_tokens": "many"}, "llm.payload"),
        ({**ASKED, "json_schema": []}, "llm.schema"),
        ({"messages": []}, "llm.messages"),
    ],
)
def test_a_prompt_that_is_none_is_refused(
    here: Stage, client: FlaskClient, payload: Any, rule: str
) -> None:
    answer = client.post("/api/v1/model", json=payload, headers=developer(here)[1])
    assert (answer.status_code, answer.get_json()["rule"]) == (422, rule)


def test_a_developer_has_only_a_few_answers_at_once(here: Stage, client: FlaskClient) -> None:
    _, headers = developer(here)
    contexts = [copy_context() for _ in range(2)]
    ask = partial(client.post, "/api/v1/model", json=ASKED, headers=headers)
    held = [context.run(ask) for context in contexts]
    refused = ask()
    assert (refused.status_code, refused.get_json()["rule"]) == (429, "streams.too-many")
    for context, answer in zip(contexts, held, strict=True):
        context.run(answer.close)


def test_a_store_without_a_model_says_so_in_the_stream(
    empty_database: Database, tmp_path: Path
) -> None:
    silent = FakeInference(why_not="There is no model here.")
    with stage(empty_database, tmp_path, inference=silent) as here:
        room = views_developer.blueprint(
            here.database, silent, here.audits, here.blobs, RunSettings(), streams=Streams(2)
        )
        client = make_store(here.database, room).test_client()
        answer = client.post("/api/v1/model", json=ASKED, headers=developer(here)[1])
        [(name, data)] = events(answer.text)
        assert (name, data["message"]) == ("refused", "There is no model here.")


def test_the_model_is_for_developers_with_a_token(here: Stage, client: FlaskClient) -> None:
    assert client.post("/api/v1/model", json=ASKED).status_code == 401
    shopper = developer(here, is_developer=False)[1]
    assert client.post("/api/v1/model", json=ASKED, headers=shopper).status_code == 403


# What an app can do to tell its developer what its person wrote.
LEAKY = """\
from caravan import _host
ctx.log.warning('odd')
ctx.log.info(text)
_host.call('log.write', {'level': text, 'text': text})
try:
    _host.call(text, {})
except Exception:
    pass
raise ValueError(text)
"""


def test_a_developer_reads_how_runs_went_and_what_the_app_logged(
    here: Stage, client: FlaskClient
) -> None:
    owner_id, headers = developer(here)
    app = here.app(LEAKY, owner_id=owner_id)
    run = here.perform(app, input={"text": "a secret wish"})
    [told] = client.get(f"/api/v1/apps/{app.ident}/runs", headers=headers).get_json()["runs"]
    assert (told["run"], told["version"], told["state"]) == (str(run.id), "1.0.0", "failed")
    assert told["rule"] == "app.error"
    lines = [("warning", 3), ("info", 13), ("info", 13)]
    assert [(line["level"], line["text_bytes"]) for line in told["log"]] == lines
    assert told["traceback"] == 'File "app.py", line 13'
    assert "person" not in json.dumps(sorted(told))
    assert "secret wish" not in json.dumps(told)
    mine = here.perform(app, input={"text": "my own words"}, person_id=owner_id)
    [told, _] = client.get(f"/api/v1/apps/{app.ident}/runs", headers=headers).get_json()["runs"]
    assert (told["run"], told["message"]) == (str(mine.id), mine.error_message)
    assert [line["text"] for line in told["log"]] == ["odd", *["my own words"] * 2]
    assert "my own words" in told["traceback"]
    other = developer(here)[1]
    assert client.get(f"/api/v1/apps/{app.ident}/runs", headers=other).status_code == 404
