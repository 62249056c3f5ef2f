"""The desk: what a running app may ask for, and what it gets."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import func, select

from marketplace.ads.models import Offer
from marketplace.catalog.models import Product
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.runs.models import Run
from tests.factories.ads import make_flight
from tests.factories.desks import ASKED, Counter, desks
from tests.factories.runs import EVERY_PERMISSION, Stage


@pytest.fixture
def here(empty_database: Database, tmp_path: Path) -> Iterator[Stage]:
    with desks(empty_database, tmp_path) as it:
        yield it


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
