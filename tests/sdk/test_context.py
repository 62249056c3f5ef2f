"""What an action may ask of the store, seen as the calls that leave the guest."""

from collections.abc import Iterator
from typing import Any

import pytest
from caravan import Context, HostError, PaymentRequired, Slot, _host


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
