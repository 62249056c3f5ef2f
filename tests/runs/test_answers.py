"""The desk: what a running app asks the model for, and what that answers."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from marketplace.catalog.models import Release
from marketplace.inference.fake import FakeInference
from marketplace.inference.ports import (
    EngineGone,
    Generation,
    Piece,
    ToolCall,
    Wants,
    type_answer_event,
)
from marketplace.infra.db import Database
from marketplace.runs import events
from marketplace.runs.prompts import MAX_PROMPT_CHARS
from marketplace.runs.settings import RunSettings
from tests.factories.desks import ASKED, PLENTY, Counter, desks
from tests.factories.runs import Stage


@pytest.fixture
def here(empty_database: Database, tmp_path: Path) -> Iterator[Stage]:
    with desks(empty_database, tmp_path) as it:
        yield it


@pytest.fixture
def counter(here: Stage) -> Counter:
    return Counter(here, here.app(age=16))


def test_an_answer_comes_piece_by_piece_and_is_counted(counter: Counter) -> None:
    handle = counter.call("llm.open", **ASKED)
    heard = [counter.call("llm.next", handle=handle) for _ in range(4)]
    assert heard == [{"text": "one "}, {"text": "two "}, {"text": "three"}, {"end": "stop"}]
    usage = counter.desk.tally.usage
    assert (usage.prompt_tokens, usage.generated_tokens) == (2, 3)
    assert counter.refused("llm.next", handle=handle) == "llm.handle"


def test_a_whole_answer_comes_at_once(counter: Counter) -> None:
    assert counter.call("llm.complete", **ASKED) == {"text": "one two three", "reason": "stop"}


def test_calls_of_tools_come_between_the_pieces(here: Stage) -> None:
    call = ToolCall("c1", "weather", '{"in": "Fes"}')
    here.inference = FakeInference(["Let me see. ", call])
    counter = Counter(here, here.app())
    told = {"id": "c1", "name": "weather", "arguments": {"in": "Fes"}}
    plain = {"name": "weather", "parameters": {"type": "object"}}
    asked = {**ASKED, "tools": [plain, {"type": "function", "function": {"name": "x"}}]}
    handle = counter.call("llm.open", **asked)
    heard = [counter.call("llm.next", handle=handle) for _ in range(3)]
    assert heard == [{"text": "Let me see. "}, {"tool_call": told}, {"end": "stop"}]
    answered = [
        *ASKED["messages"],
        {"role": "assistant", "tool_calls": [told]},
        {"role": "tool", "content": "21 °C", "tool_call_id": "c1"},
    ]
    whole = counter.call("llm.complete", messages=answered, tools=[plain])
    assert whole == {"text": "Let me see. ", "reason": "stop", "tool_calls": [told]}
    first, second = here.inference.asked
    assert [tool.name for tool in first.tools] == ["weather", "x"]
    assert second.messages[1].tool_calls == (call,)
    assert second.messages[2].tool_call_id == "c1"


@pytest.mark.parametrize(
    ("choice", "heard"),
    [
        (None, "auto"),
        ("required", "required"),
        ("weather", "weather"),
        ({"type": "function", "function": {"name": "weather"}}, "weather"),
    ],
)
def test_an_app_may_have_a_tool_called(here: Stage, choice: Any, heard: str) -> None:
    counter = Counter(here, here.app())
    plain = {"name": "weather", "parameters": {"type": "object"}}
    counter.call("llm.complete", **ASKED, tools=[plain], tool_choice=choice)
    assert isinstance(here.inference, FakeInference)
    assert here.inference.asked[-1].tool_choice == heard
    for wrong in ("camel", 7, {"function": 7}):
        asked = {**ASKED, "tools": [plain], "tool_choice": wrong}
        assert counter.refused("llm.complete", **asked) == "llm.tools"


def test_an_app_may_ask_how_sure_the_model_was(here: Stage, counter: Counter) -> None:
    told = [
        {"token": piece, "logprob": 0.0, "likeliest": [[piece, 0.0]]}
        for piece in ("one ", "two ", "three")
    ]
    whole = counter.call("llm.complete", **ASKED, logprobs=1)
    assert whole == {"text": "one two three", "reason": "stop", "logprobs": told}
    handle = counter.call("llm.open", **ASKED, logprobs=1)
    *_, end = [counter.call("llm.next", handle=handle) for _ in range(4)]
    assert end == {"end": "stop", "logprobs": told}
    assert "logprobs" not in counter.call("llm.forward", **ASKED, logprobs=1)
    assert isinstance(here.inference, FakeInference)
    assert [asked.logprobs for asked in here.inference.asked] == [1, 1, None]


def test_the_model_is_chosen_by_what_the_release_wants(here: Stage) -> None:
    app = here.app()
    with here.database.writing() as session:
        release = session.get_one(Release, app.current_release_id)
        release.manifest = {**release.manifest, "model": {"context": 777, "vision": True}}
    Counter(here, app).call("llm.complete", **ASKED)
    assert isinstance(here.inference, FakeInference)
    assert here.inference.asked[-1].wants == Wants(context=777, vision=True)


@pytest.mark.parametrize(
    ("price_micros", "shares", "share"),
    [
        (None, {}, 1.0),
        (2_000_000, {}, 3.0),
        (2_000_000, {"another.app": 9.0}, 3.0),
        (2_000_000, {"mine": 0.5}, 0.5),
    ],
)
def test_an_apps_share_of_a_busy_model_is_its_plans_or_the_operators(
    here: Stage, price_micros: int | None, shares: dict[str, float], share: float
) -> None:
    app = here.app(price_micros=price_micros, currency=price_micros and "USD")
    named = {app.ident if ident == "mine" else ident: given for ident, given in shares.items()}
    counter = Counter(here, app, settings=RunSettings(paid_share=3.0, shares=named))
    counter.call("llm.complete", **ASKED)
    assert isinstance(here.inference, FakeInference)
    assert here.inference.asked[-1].weight == share


def test_pictures_reach_the_model_as_bytes(here: Stage, counter: Counter) -> None:
    assert isinstance(here.inference, FakeInference)
    seen = {"role": "user", "content": "What is it?", "images": ["iVBORw0="]}
    counter.call("llm.complete", messages=[seen])
    assert here.inference.asked[-1].messages[0].images == (b"\x89PNG\r",)


def test_texts_become_vectors_and_are_counted(here: Stage, counter: Counter) -> None:
    assert isinstance(here.inference, FakeInference)
    vectors = counter.call("llm.embed", texts=["one two", "two one"])
    assert vectors[0] == vectors[1]
    assert sum(number * number for number in vectors[0]) == pytest.approx(1, abs=1e-4)
    assert counter.desk.tally.usage.prompt_tokens == 4
    assert counter.desk.tally.model == "Fake"
    assert here.inference.embedded[0].person == "someone"


def test_stopping_a_run_stops_its_vectors_too(here: Stage, counter: Counter) -> None:
    assert isinstance(here.inference, FakeInference)
    cancelled: list[str] = []
    here.inference.cancel = cancelled.append  # type: ignore[method-assign]  # watched
    counter.call("llm.embed", texts=["one"])
    counter.desk.cancel()
    assert cancelled == [here.inference.embedded[0].request_id]


def test_the_model_learns_a_pseudonym_and_never_the_person(here: Stage, counter: Counter) -> None:
    counter.call("llm.complete", **ASKED)
    assert isinstance(here.inference, FakeInference)
    [asked] = here.inference.asked
    assert asked.person == "someone"
    assert str(counter.run.person_id) not in repr(asked)


def test_generated_tokens_have_an_end(here: Stage, counter: Counter) -> None:
    assert isinstance(here.inference, FakeInference)
    for _ in range(21):
        counter.call("llm.complete", **ASKED)
    # 63 of the 64 tokens the release may have are gone.
    assert counter.call("llm.complete", **ASKED) == {"text": "one ", "reason": "length"}
    assert counter.refused("llm.complete", **ASKED) == "limit.llm_tokens"
    assert here.inference.asked[-1].max_tokens == 1


def test_what_is_read_counts_in_the_hour_too(here: Stage) -> None:
    left = replace(PLENTY, llm_tokens=7)
    counter = Counter(here, here.app(), left=left)
    # Two read and three made of each answer.
    assert counter.call("llm.complete", **ASKED)["text"] == "one two three"
    assert counter.call("llm.complete", **ASKED)["text"] == "one two "
    assert counter.refused("llm.complete", **ASKED) == "limit.llm_tokens"
    assert counter.refused("llm.embed", texts=["one"]) == "limit.llm_tokens"
    embedder = Counter(here, here.app(), left=left)
    embedder.call("llm.embed", texts=["one two three four five six seven"])
    assert embedder.refused("llm.embed", texts=["one"]) == "limit.llm_tokens"


def test_answers_side_by_side_share_the_budget(here: Stage, counter: Counter) -> None:
    assert isinstance(here.inference, FakeInference)
    first = counter.call("llm.open", **ASKED, max_tokens=40)
    second = counter.call("llm.open", **ASKED, max_tokens=40)
    assert counter.refused("llm.open", **ASKED) == "limit.llm_tokens"
    for handle in (first, second):
        counter.call("llm.next", handle=handle)
    assert [asked.max_tokens for asked in here.inference.asked] == [40, 24]
    while "end" not in counter.call("llm.next", handle=first):
        continue
    assert counter.call("llm.open", **ASKED) == 2


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"messages": []}, "llm.messages"),
        ({"messages": "hello"}, "llm.messages"),
        ({"messages": ["hello"]}, "llm.messages"),
        ({"messages": [{"role": "user", "content": "a"}] * 65}, "llm.messages"),
        (
            {"messages": [{"role": "user", "content": "a" * (MAX_PROMPT_CHARS + 1)}]},
            "llm.too-long",
        ),
        ({**ASKED, "max_tokens": 0}, "llm.max-tokens"),
        ({**ASKED, "max_tokens": "many"}, "llm.max-tokens"),
        ({**ASKED, "max_tokens": True}, "llm.max-tokens"),
        ({**ASKED, "temperature": "hot"}, "llm.temperature"),
        ({**ASKED, "temperature": [1]}, "llm.temperature"),
        ({**ASKED, "json_schema": "object"}, "llm.schema"),
        ({**ASKED, "tools": "all"}, "llm.tools"),
        ({**ASKED, "tools": ["weather"]}, "llm.tools"),
        ({**ASKED, "tools": [{"function": "weather"}]}, "llm.tools"),
        ({**ASKED, "tools": [{"name": "weather", "parameters": []}]}, "llm.tools"),
        ({"messages": [{"role": "assistant", "tool_calls": "one"}]}, "llm.messages"),
        ({"messages": [{"role": "assistant", "tool_calls": [1]}]}, "llm.messages"),
        ({"messages": [{"role": "user", "images": ["no base64!"]}]}, "llm.images"),
        ({"messages": [{"role": "user", "images": [7]}]}, "llm.images"),
        ({**ASKED, "logprobs": 21}, "llm.logprobs"),
        ({**ASKED, "logprobs": True}, "llm.logprobs"),
        ({**ASKED, "logprobs": "many"}, "llm.logprobs"),
    ],
)
def test_a_prompt_that_makes_no_sense_is_refused_with_a_rule(
    counter: Counter, given: dict[str, Any], rule: str
) -> None:
    assert counter.refused("llm.open", **given) == rule


@pytest.mark.parametrize(
    ("texts", "rule"),
    [
        (None, "llm.texts"),
        ([], "llm.texts"),
        (["a"] * 129, "llm.texts"),
        (["a", ""], "llm.texts"),
        (["a", 7], "llm.texts"),
        (["a" * MAX_PROMPT_CHARS, "b"], "llm.too-long"),
    ],
)
def test_texts_that_cannot_become_vectors_are_refused(
    counter: Counter, texts: Any, rule: str
) -> None:
    assert counter.refused("llm.embed", texts=texts) == rule


def test_what_the_engine_refuses_becomes_the_apps_error(counter: Counter) -> None:
    odd = {"messages": [{"role": "conductor", "content": "hello"}]}
    assert counter.refused("llm.complete", **odd).startswith("llm.")


def test_cancelling_ends_an_answer(here: Stage, counter: Counter) -> None:
    handle = counter.call("llm.open", **ASKED)
    counter.call("llm.next", handle=handle)
    counter.desk.cancel()
    assert counter.call("llm.next", handle=handle) == {"end": "cancelled"}
    assert here.inference.status().active == 0
    usage = counter.desk.tally.usage
    assert (usage.prompt_tokens, usage.generated_tokens) == (2, 1)


def test_words_are_gathered_until_the_run_is_stopped(
    here: Stage, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_PER_S", 0.001)
    monkeypatch.setattr(events, "LONGEST_PAUSE_S", 60)
    handle = counter.call("llm.open", **ASKED)
    assert counter.call("llm.next", handle=handle) == {"text": "one "}
    heard: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: heard.append(counter.call("llm.next", handle=handle)))
    reader.start()
    reader.join(0.1)
    assert heard == []
    counter.desk.cancel()
    reader.join(10)
    assert heard == [{"end": "cancelled"}]


def test_answers_that_nobody_read_to_the_end_are_let_go(here: Stage, counter: Counter) -> None:
    counter.call("llm.next", handle=counter.call("llm.open", **ASKED))
    assert here.inference.status().active == 1
    counter.desk.close()
    assert here.inference.status().active == 0


def test_an_answer_that_is_broken_off_is_counted_all_the_same(
    here: Stage, counter: Counter
) -> None:
    asked = {**ASKED, "max_tokens": 20}
    counter.call("llm.next", handle=counter.call("llm.open", **asked))
    counter.call("llm.open", **asked)  # and one that never reached the model
    counter.desk.close()
    usage = counter.desk.tally.usage
    assert (usage.prompt_tokens, usage.generated_tokens) == (2, 1)
    assert counter.desk.tally.model == "Fake"
    assert isinstance(here.inference, FakeInference)
    assert len(here.inference.asked) == 1


def test_an_engine_that_goes_while_an_answer_is_broken_off_takes_the_count_with_it(
    here: Stage, counter: Counter
) -> None:
    def dying(_generation: Generation) -> Iterator[type_answer_event]:
        yield Piece("one ")
        raise EngineGone("The engine ended.")

    here.inference.generate = dying  # type: ignore[method-assign]  # an engine that dies
    counter.call("llm.next", handle=counter.call("llm.open", **ASKED))
    counter.desk.close()
    assert counter.desk.tally.usage.generated_tokens == 0


def test_a_forwarded_answer_goes_to_the_person_as_it_comes(counter: Counter) -> None:
    answer = counter.call("llm.forward", **ASKED)
    usage = {"prompt_tokens": 2, "generated_tokens": 3}
    assert answer == {"text": "one two three", "reason": "stop", "usage": usage}
    assert counter.desk.items[0]["text"] == "one two three"
    assert [data["text"] for _, data in counter.written()] == ["one ", "two ", "three"]
