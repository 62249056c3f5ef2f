"""The three shipped apps send the prompts the model was taught, and pass the store's checks."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from caravan import Context, PaymentRequired, _host
from caravan.bundle import build, open_bundle
from caravan.checks import check

from models.grammar import copywriter, helpdesk, phrasebook
from models.grammar.example import Example
from tests.factories.shipped import PLUGINS, app_of

NAMES = ("phrasebook", "copywriter", "helpdesk")


class Door:
    """A store that answers every prompt with prepared words and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.owns = True
        self.pending: list[str] = []

    def __call__(self, op: str, payload: dict[str, Any]) -> Any:
        match op:
            case "llm.open":
                self.asked.append(payload)
                self.pending = ["first ", "second"]
                return 1
            case "llm.next":
                return {"text": self.pending.pop(0)} if self.pending else {"end": "stop"}
            case "llm.complete":
                self.asked.append(payload)
                return {"text": helpdesk.sorted_as("angry", "refund", "high"), "reason": "stop"}
            case "billing.entitled":
                return self.owns
            case "ads.slot":
                return None
        raise AssertionError(op)


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    before = _host.install(door)
    yield door
    _host.install(before)


def sent(example: Example) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": example.system},
        {"role": "user", "content": example.user},
    ]


def test_the_phrasebook_sends_the_taught_prompt_and_streams(door: Door) -> None:
    example = phrasebook.sentence(Random(1), "Arabic", held_out=False)
    values = {"text": f"  {example.user} ", "language": "Arabic"}
    items = list(app_of("phrasebook").run("translate", values, Context()))
    [asked] = door.asked
    expected = " ".join(example.user.split())
    assert asked["messages"] == [sent(example)[0], {"role": "user", "content": expected}]
    assert [item["text"] for item in items] == ["first ", "second"]


def test_the_copywriter_sends_the_taught_facts_and_ends_with_the_ad_slot(door: Door) -> None:
    example = copywriter.request(Random(2), held_out=False)
    names = ("product", "material", "benefit", "audience", "price", "tone")
    lines = example.user.split("\n")
    values = {name: line.split(": ", 1)[1] for name, line in zip(names, lines, strict=True)}
    items = list(app_of("copywriter").run("write", values, Context()))
    assert [asked["messages"] for asked in door.asked] == [sent(example)]
    assert items[-1] == {"kind": "slot", "name": "after-result"}


def test_the_helpdesk_sorts_by_the_taught_schema_then_drafts_a_reply(door: Door) -> None:
    example = helpdesk.message(Random(3), held_out=False, reply=False)
    values = {"message": example.user}
    items = list(app_of("helpdesk").run("answer", values, Context()))
    text = " ".join(example.user.split())
    sort, reply = door.asked
    assert sort["messages"] == [sent(example)[0], {"role": "user", "content": text}]
    assert sort["json_schema"] == helpdesk.SCHEMA
    assert json.dumps(sort["json_schema"]) == json.dumps(helpdesk.SCHEMA), "the order of keys too"
    assert reply["messages"][0]["content"] == helpdesk.REPLY_SYSTEM
    assert "| refund | high | angry |" in items[0]["text"]
    assert "".join(item["text"] for item in items[1:]) == "first second"


def test_the_helpdesk_asks_nothing_of_the_model_before_it_is_paid(door: Door) -> None:
    door.owns = False
    with pytest.raises(PaymentRequired):
        list(app_of("helpdesk").run("answer", {"message": "Where is my parcel?"}, Context()))
    assert door.asked == []


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_app_passes_every_check_of_the_store(name: str) -> None:
    bundle = open_bundle(build(PLUGINS / name))
    assert [finding for finding in check(bundle) if finding.level == "error"] == []
    assert bundle.manifest.app.id == f"caravan.{name}"
    assert "ar" in bundle.listings


@pytest.mark.parametrize("name", NAMES)
def test_an_app_is_about_one_page_of_code(name: str) -> None:
    assert len((PLUGINS / name / "app.py").read_text().splitlines()) <= 75
