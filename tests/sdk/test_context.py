"""What an action may ask of the store, seen as the calls that leave the guest."""

import base64
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from caravan import Context, File, HostError, PaymentRequired, Slot, _host
from caravan.llm import NotJson, Scored, Token


@dataclasses.dataclass(frozen=True)
class Guess:
    word: str
    sure: bool = False


class Door:
    """Answers from a list, and remembers what was asked."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def call(self, op: str, payload: dict[str, Any]) -> Any:
        self.asked.append((op, payload))
        return self.answers.pop(0) if self.answers else None


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    before = _host.install(door.call)
    yield door
    _host.install(before)


def test_a_stream_pulls_until_the_end(door: Door) -> None:
    door.answers = [7, {"text": "Sal"}, {"text": "am"}, {"end": "stop"}]
    pieces = Context().llm.stream("Greet", system="Be kind", max_tokens=8)
    assert list(pieces) == ["Sal", "am"]
    assert door.asked == [
        (
            "llm.open",
            {
                "messages": [
                    {"role": "system", "content": "Be kind"},
                    {"role": "user", "content": "Greet"},
                ],
                "max_tokens": 8,
            },
        ),
        *[("llm.next", {"handle": 7})] * 3,
    ]


def test_a_whole_answer_may_follow_a_conversation_and_a_schema(door: Door) -> None:
    door.answers = [{"text": "{}", "reason": "stop"}]
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    answer = Context().llm.complete(talk, temperature=0.0, json_schema={"type": "object"})
    assert answer == "{}"
    assert door.asked == [
        (
            "llm.complete",
            {"messages": talk, "temperature": 0.0, "json_schema": {"type": "object"}},
        )
    ]


def test_an_answer_may_tell_how_sure_the_model_was(door: Door) -> None:
    told = {"token": "tea", "logprob": -0.1, "likeliest": [["tea", -0.1], ["milk", -2.4]]}
    door.answers = [{"text": "tea", "reason": "stop", "logprobs": [told]}]
    answer = Context().llm.scored("What?", logprobs=2, system="Be brief.", max_tokens=9)
    assert answer == Scored("tea", (Token("tea", -0.1, (("tea", -0.1), ("milk", -2.4))),))
    [(op, asked)] = door.asked
    assert (op, asked["logprobs"], asked["max_tokens"]) == ("llm.complete", 2, 9)
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]


def test_storage_is_apart_for_the_person_and_the_app(door: Door) -> None:
    ctx = Context()
    door.answers = [None, {"a": 1}, None, None, 3, ["k"]]
    assert ctx.kv.user.get("k", "none yet") == "none yet"
    assert ctx.kv.app.get("k") == {"a": 1}
    ctx.kv.user.set("k", [1])
    ctx.kv.user.delete("k")
    assert ctx.kv.app.incr("runs", by=2) == 3
    assert ctx.kv.user.keys("k") == ["k"]
    assert door.asked == [
        ("kv.get", {"scope": "user", "key": "k"}),
        ("kv.get", {"scope": "app", "key": "k"}),
        ("kv.set", {"scope": "user", "key": "k", "value": [1]}),
        ("kv.delete", {"scope": "user", "key": "k"}),
        ("kv.incr", {"scope": "app", "key": "runs", "by": 2}),
        ("kv.keys", {"scope": "user", "prefix": "k"}),
    ]


def test_an_answer_as_data_fits_a_dataclass_and_its_bare_schema(door: Door) -> None:
    door.answers = [{"text": '{"word": "tea", "sure": true}', "reason": "stop"}]
    assert Context().llm.json("What?", Guess, max_tokens=9) == Guess("tea", sure=True)
    [(op, asked)] = door.asked
    assert op == "llm.complete"
    assert asked["json_schema"] == {
        "type": "object",
        "properties": {
            "word": {"type": "string"},
            "sure": {"type": "boolean", "default": False},
        },
        "required": ["word"],
        "additionalProperties": False,
    }
    door.answers = [{"text": "[1]", "reason": "stop"}, {"text": '{"word', "reason": "length"}]
    assert Context().llm.json("What?", {"type": "array"}) == [1]
    with pytest.raises(NotJson, match="Give more max_tokens"):
        Context().llm.json("What?", Guess)


def test_a_chat_remembers_what_was_said(door: Door) -> None:
    door.answers = [1, {"text": "Hel"}, {"text": "lo"}, {"end": "stop"}]
    before = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}
    chat = Context().llm.chat(before, system="Be kind")
    assert "".join(chat.say("Greet me", max_tokens=5)) == "Hello"
    assert chat.messages == [
        *before,
        {"role": "user", "content": "Greet me"},
        {"role": "assistant", "content": "Hello"},
    ]
    asked = door.asked[0][1]
    assert asked["max_tokens"] == 5
    assert [each["content"] for each in asked["messages"]] == ["Be kind", "Hi", "Yes?", "Greet me"]


def test_a_picture_goes_with_the_last_message(door: Door) -> None:
    door.answers = [{"text": "A tent", "reason": "stop", "usage": {}}]
    assert Context().llm.forward("What is this?", system="Look", images=[b"GIF8"]) == "A tent"
    assert door.asked[0][1]["messages"] == [
        {"role": "system", "content": "Look"},
        {"role": "user", "content": "What is this?", "images": ["R0lGOA=="]},
    ]


def test_forwarding_and_vectors_are_one_call_each(door: Door) -> None:
    door.answers = [{"text": "Salam", "reason": "stop", "usage": {}}, [[1.0]], [[1.0], [0.0]]]
    llm = Context().llm
    assert llm.forward("Greet", max_tokens=3) == "Salam"
    assert (llm.embed("tea"), llm.embed(["tea", "rain"])) == ([[1.0]], [[1.0], [0.0]])
    assert [op for op, _ in door.asked] == ["llm.forward", "llm.embed", "llm.embed"]
    assert door.asked[1][1] == {"texts": ["tea"]}


def test_a_value_is_replaced_only_where_it_is_the_one_expected(door: Door) -> None:
    door.answers = [True]
    assert Context().kv.user.cas("k", None, 1) is True
    asked = {"scope": "user", "key": "k", "expected": None, "value": 1}
    assert door.asked == [("kv.cas", asked)]


def test_the_web_is_asked_through_the_store(door: Door) -> None:
    door.answers = [{"status": 404, "headers": {"a": "b"}, "body_base64": "eyJhIjogMX0="}]
    answer = Context().http.fetch("https://example.org/", method="POST", body="hi")
    assert (answer.status, answer.headers, answer.json(), answer.text) == (
        404,
        {"a": "b"},
        {"a": 1},
        '{"a": 1}',
    )
    asked = {
        "method": "POST",
        "url": "https://example.org/",
        "headers": {},
        "body_base64": "aGk=",
    }
    assert door.asked == [("http.fetch", asked)]


def test_settings_are_asked_once_a_run(door: Door) -> None:
    settings = Context().settings
    door.answers = [{"tone": "warm"}]
    assert (settings["tone"], settings.get("other", 1), dict(settings)) == (
        "warm",
        1,
        {"tone": "warm"},
    )
    assert door.asked == [("settings.get", {})]


def test_a_file_is_read_in_pieces(door: Door) -> None:
    def piece(data: bytes) -> dict[str, Any]:
        return {"base64": base64.b64encode(data).decode(), "size_bytes": 5}

    door.answers = [piece(b"\xef\xbb\xbf"), piece(b"hi"), piece(b"h"), piece(b"")]
    file = File("f1", "a.txt", "text/plain", 5)
    assert file.text() == "hi"
    assert [asked["offset"] for _, asked in door.asked] == [0, 3]
    assert file.read() == b"h", "a file that is shorter than it said ends where it ends"


def test_a_question_waits_for_an_answer_that_fits(door: Door) -> None:
    door.answers = [{"word": "tea"}, {"word": 1}]
    assert Context().ask(Guess, "Your turn") == Guess("tea")
    [(op, asked)] = door.asked
    assert (op, asked["title"]) == ("form.ask", "Your turn")
    assert asked["schema"]["properties"]["word"]["x-ui"]["widget"] == "text"
    with pytest.raises(HostError, match="Word must be a text"):
        Context().ask(Guess)


def test_progress_and_metering_are_told(door: Door) -> None:
    ctx = Context()
    ctx.progress(1, 3, "Reading")
    ctx.meter("pages", 2)
    assert door.asked == [
        ("output.progress", {"done": 1, "total": 3, "text": "Reading"}),
        ("meter.add", {"name": "pages", "n": 2}),
    ]


def test_a_paid_part_says_what_to_buy(door: Door) -> None:
    ctx = Context()
    door.answers = [True, False]
    ctx.require("pro")
    with pytest.raises(PaymentRequired, match=r"This needs “pro”. Buy it") as caught:
        ctx.require("pro")
    assert caught.value.product == "pro"
    assert door.asked == [("billing.entitled", {"product": "pro"})] * 2


def test_a_slot_and_the_log_ask_the_store(door: Door) -> None:
    ctx = Context()
    assert ctx.ads.slot("after-result") == Slot("after-result")
    ctx.log("seen")
    ctx.log.warning("odd")
    ctx.log.error("bad")
    assert door.asked == [
        ("ads.slot", {"name": "after-result"}),
        ("log.write", {"level": "info", "text": "seen"}),
        ("log.write", {"level": "warning", "text": "odd"}),
        ("log.write", {"level": "error", "text": "bad"}),
    ]


def test_without_a_store_a_call_says_how_to_get_one() -> None:
    with pytest.raises(
        HostError, match=r"“kv\.get” needs a store. Start the app with `caravan run`"
    ):
        Context().kv.user.get("k")
