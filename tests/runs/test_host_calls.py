"""The desk: what a running app may ask for, and what it gets."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import func, select

from marketplace.ads.models import Offer
from marketplace.catalog.models import App, Product, Release
from marketplace.inference.fake import FakeInference
from marketplace.inference.ports import ToolCall, Wants
from marketplace.infra.db import Database
from marketplace.infra.egress import Egress, EgressSettings
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId, RunId
from marketplace.runs import events, grants
from marketplace.runs.asking import Asking
from marketplace.runs.events import EventLogs, EventWriter
from marketplace.runs.files import Reader
from marketplace.runs.host_calls import Desk
from marketplace.runs.models import Run
from marketplace.runs.preferences import Known
from marketplace.runs.prompts import MAX_PROMPT_CHARS
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.budgets import Amounts
from marketplace.sandbox.ports import Refused
from tests.factories.ads import make_flight
from tests.factories.runs import EVERY_PERMISSION, Stage, stage

USUAL = RunSettings()
PLENTY = Amounts(**USUAL.hour.model_dump())
OPENED: list[EventWriter] = []
ASKED = {"messages": [{"role": "user", "content": "hello there"}]}


class Counter:
    """A desk for a run of `app`, with what it has written."""

    def __init__(
        self,
        here: Stage,
        app: App,
        person: AccountId | None = None,
        settings: RunSettings = USUAL,
    ) -> None:
        given = {} if person is None else {"person_id": person}
        self.run = here.run(here.queued(app, **given))
        self.logs: EventLogs = here.logs
        self.events: EventWriter = here.logs.open(self.run.id)
        OPENED.append(self.events)
        grant = grants.grant_for(
            self.run,
            app,
            here.release(app),
            settings,
            pseudonym="someone",
            left=PLENTY,
            known=Known({"tone": "dry"}),
            withheld=["hunter2"],
        )
        self.desk = Desk(
            grant,
            database=here.database,
            inference=here.inference,
            egress=Egress(EgressSettings()),
            events=self.events,
            files=Reader(here.files, grant.person_id, grant.run_id, most_bytes=1000),
            asking=Asking(grant.run_id, here.questions, self.events, RunSettings(), has_page=False),
        )

    def call(self, op: str, **payload: Any) -> Any:
        return self.desk.call(op, payload)

    def refused(self, op: str, **payload: Any) -> str:
        """The rule a call is refused with; its sentence is a whole one."""
        with pytest.raises(Refused) as refused:
            self.call(op, **payload)
        assert refused.value.message.endswith(".")
        return refused.value.code

    def written(self) -> list[tuple[str, Any]]:
        found = self.logs.follow(RunId(self.run.id), after=0, is_over=lambda: True)
        return [(event.name, event.data) for event in found if event is not None]


@pytest.fixture
def here(
    empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    # These logs have no end; whoever reads one would wait for it.
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.02)
    with stage(empty_database, tmp_path, inference=FakeInference(["one ", "two ", "three"])) as it:
        yield it
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def counter(here: Stage) -> Counter:
    return Counter(here, here.app(age=16))


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "llm.generate": ("llm.open", ASKED),
    "llm.embed": ("llm.embed", {"texts": ["hello"]}),
    "kv.user": ("kv.get", {"scope": "user", "key": "a"}),
    "kv.app": ("kv.incr", {"scope": "app", "key": "a"}),
    "ads.show": ("output.write", {"kind": "slot", "name": "after-result"}),
    "billing.entitlement": ("billing.entitled", {"product": "whole"}),
}


@pytest.mark.parametrize("permission", EVERY_PERMISSION)
def test_what_was_not_granted_is_refused(here: Stage, permission: str) -> None:
    others = tuple(name for name in EVERY_PERMISSION if name != permission)
    without, with_it = Counter(here, here.app(permissions=others)), Counter(here, here.app())
    op, payload = CALLS[permission]
    assert without.refused(op, **payload) == f"permission.{permission}"
    assert without.desk.permissions_used == set()
    with_it.call(op, **payload)
    assert with_it.desk.permissions_used == {permission}


def test_an_operation_that_does_not_exist_is_refused(counter: Counter) -> None:
    assert counter.refused("fs.read", path="/etc/passwd") == "host.unknown-op"


def test_an_answer_comes_piece_by_piece_and_is_counted(counter: Counter) -> None:
    handle = counter.call("llm.open", **ASKED)
    heard = [counter.call("llm.next", handle=handle) for _ in range(4)]
    assert heard == [{"text": "one "}, {"text": "two "}, {"text": "three"}, {"end": "stop"}]
    assert (counter.desk.tally.prompt_tokens, counter.desk.tally.generated_tokens) == (2, 3)
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
    assert counter.desk.tally.prompt_tokens == 4
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


def test_answers_that_nobody_read_to_the_end_are_let_go(here: Stage, counter: Counter) -> None:
    counter.call("llm.next", handle=counter.call("llm.open", **ASKED))
    assert here.inference.status().active == 1
    counter.desk.close()
    assert here.inference.status().active == 0


def test_values_are_kept_for_the_person_or_for_all(here: Stage) -> None:
    app = here.app()
    lina, omar = Counter(here, app), Counter(here, app)
    lina.call("kv.set", scope="user", key="name", value={"first": "Lina"})
    lina.call("kv.incr", scope="app", key="visits")
    assert lina.call("kv.get", scope="user", key="name") == {"first": "Lina"}
    assert omar.call("kv.get", scope="user", key="name") is None
    assert omar.call("kv.incr", scope="app", key="visits", by=2) == 3
    assert lina.call("kv.keys", scope="user") == ["name"]
    lina.call("kv.delete", scope="user", key="name")
    assert lina.call("kv.get", scope="user", key="name") is None


def test_values_of_another_app_are_out_of_reach(here: Stage) -> None:
    person = here.person().id
    one, other = Counter(here, here.app(), person), Counter(here, here.app(), person)
    one.call("kv.set", scope="user", key="a", value=1)
    one.call("kv.set", scope="app", key="a", value=1)
    assert other.call("kv.get", scope="user", key="a") is None
    assert other.call("kv.get", scope="app", key="a") is None


def test_a_bad_key_is_refused_with_its_rule(counter: Counter) -> None:
    assert counter.refused("kv.set", scope="user", key="", value=1) == "kv.key"
    assert counter.refused("kv.set", scope="user", key="a", value="x" * 70_000) == "kv.value"
    for odd in ("\x00", ["\ud800"], {"\x00": 1}):
        assert counter.refused("kv.set", scope="user", key="a", value=odd) == "kv.value"


def test_an_advertisement_is_decided_once_for_a_slot(here: Stage, counter: Counter) -> None:
    now = utc_now()
    with here.database.writing() as session:
        make_flight(session, starts_at=now - timedelta(days=1), ends_at=now + timedelta(days=1))
    assert counter.call("ads.slot", name="after-result") is None
    for _ in range(3):
        counter.call("output.write", kind="slot", name="after-result")
    with here.database.reading() as session:
        assert session.exec(select(func.count()).select_from(Offer)).one() == 1
    assert len({item["offer"] for item in counter.desk.items}) == 1


def test_an_app_never_learns_whether_there_is_an_advertisement(counter: Counter) -> None:
    assert counter.call("ads.slot", name="after-result") is None
    assert counter.call("output.write", kind="slot", name="after-result") is None
    assert counter.desk.items == []


@pytest.mark.parametrize("name", ["before-result", None, ["after-result"]])
def test_a_slot_that_was_not_declared_is_refused(counter: Counter, name: object) -> None:
    assert counter.refused("ads.slot", name=name) == "ads.slot"


def test_an_entitlement_is_told_for_this_person(here: Stage) -> None:
    app = here.app()
    with here.database.writing() as session:
        session.add(
            Product(
                app_id=app.id, key="whole", name="Whole", price_micros=4_990_000, currency="USD"
            )
        )
    assert Counter(here, app).call("billing.entitled", product="whole") is False
    assert Counter(here, app, app.owner_id).call("billing.entitled", product="whole") is True


def test_output_is_kept_and_streamed(counter: Counter) -> None:
    counter.call("output.write", kind="text", text="a")
    counter.call("output.write", kind="text", text="b")
    counter.call("output.write", kind="text", text="*c*", format="markdown")
    counter.call("output.write", kind="json", value={"n": 1})
    assert counter.desk.items == [
        {"kind": "text", "text": "ab", "is_markdown": False},
        {"kind": "text", "text": "*c*", "is_markdown": True},
        {"kind": "json", "value": {"n": 1}},
    ]
    assert [name for name, _ in counter.written()] == ["text", "text", "text", "item"]
    assert counter.refused("output.write", kind="html", html="<script>") == "output.kind"


def test_text_that_no_database_can_keep_is_mended(counter: Counter) -> None:
    counter.call("output.write", kind="text", text="a\ud800\x00b")
    counter.call("output.write", kind="json", value={"k\x00": ["\udfff"]})
    assert counter.desk.items == [
        {"kind": "text", "text": "a\ufffd\ufffdb", "is_markdown": False},
        {"kind": "json", "value": {"k\ufffd": ["\ufffd"]}},
    ]


def test_the_line_before_a_run_is_told(counter: Counter) -> None:
    counter.call("run.queued", position=3)
    assert counter.written() == [("queued", {"position": 3})]


def test_the_run_itself_is_not_changed_by_calls(here: Stage, counter: Counter) -> None:
    counter.call("output.write", kind="text", text="a")
    with here.database.reading() as session:
        assert session.get_one(Run, counter.run.id).output == []


def test_a_forwarded_answer_goes_to_the_person_as_it_comes(counter: Counter) -> None:
    answer = counter.call("llm.forward", **ASKED)
    usage = {"prompt_tokens": 2, "generated_tokens": 3}
    assert answer == {"text": "one two three", "reason": "stop", "usage": usage}
    assert counter.desk.items[0]["text"] == "one two three"
    assert [data["text"] for _, data in counter.written()] == ["one ", "two ", "three"]


def test_progress_is_told_to_the_page_and_is_no_output(counter: Counter) -> None:
    counter.call("output.progress", done=1, total=3, text="a\x00" + "b" * 300)
    counter.call("output.progress", done=2, total=None)
    assert counter.written() == [
        ("progress", {"done": 1, "total": 3, "text": "a\ufffd" + "b" * 198}),
        ("progress", {"done": 2, "total": None, "text": ""}),
    ]
    assert counter.desk.items == []


@pytest.mark.parametrize("given", [{}, {"done": -1}, {"done": True}, {"done": 0, "total": 0}])
def test_progress_that_makes_no_sense_is_refused(counter: Counter, given: dict[str, Any]) -> None:
    assert counter.refused("output.progress", **given) == "output.progress"


def test_a_value_is_swapped_only_for_the_one_that_was_expected(counter: Counter) -> None:
    where = {"scope": "user", "key": "turn"}
    assert counter.call("kv.cas", **where, expected=1, value=2) is False
    assert counter.call("kv.cas", **where, expected=None, value=1) is True
    assert counter.call("kv.cas", **where, expected=True, value=2) is False
    assert counter.call("kv.cas", **where, expected=1, value={"b": 1, "a": [2]}) is True
    assert counter.call("kv.cas", **where, expected={"a": [2], "b": 1}, value=3) is True
    assert counter.call("kv.get", **where) == 3


def test_an_app_gets_its_settings(here: Stage) -> None:
    asked = Counter(here, here.app())
    assert asked.call("settings.get") == {"tone": "dry"}
