"""The audit log: every call once, in the file before the answer, and nothing for other eyes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.infra.db import Database
from marketplace.kernel.ids import RunId
from marketplace.runs.audit import AuditLogs, for_others, without_contents
from marketplace.runs.models import RunState
from marketplace.settings import ROOT
from tests.factories.runs import Stage, stage

RUN = RunId(UUID(int=1))
PAGE = (ROOT / "docs" / "audit-log.md").read_text()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.fixture
def here(empty_database: Database, tmp_path: Path) -> Iterator[Stage]:
    with stage(empty_database, tmp_path) as made:
        yield made


def lines_of(here: Stage, body: str, **given: Any) -> list[dict[str, Any]]:
    run = here.perform(here.app(body, **given))
    return list(here.audits.lines(run.id))


def test_a_run_leaves_its_beginning_its_calls_and_its_end(here: Stage) -> None:
    body = "ctx.kv.user.set('a', 1)\nyield str(ctx.kv.user.get('a'))"
    header, *calls, end = lines_of(here, body)
    assert (header["v"], header["action"], header["grants"][0]) == (1, "go", "ads.show")
    assert [(line["n"], line["op"]) for line in calls] == [
        (1, "kv.set"),
        (2, "kv.get"),
        (3, "output.write"),
    ]
    assert calls[1]["payload"] == {"scope": "user", "key": "a"}
    assert calls[1]["answer"] == 1
    assert [line["at_ms"] for line in calls] == sorted(line["at_ms"] for line in calls)
    assert (end["end"]["kind"], end["end"]["host_calls"]) == ("finished", 3)
    assert "rule" not in end["end"]


def test_what_was_refused_is_recorded_with_its_rule(here: Stage) -> None:
    lines = lines_of(here, "ctx.kv.app.get('a')", permissions=("kv.user",))
    assert lines[1]["refused"]["code"] == "permission.kv.app"
    assert "answer" not in lines[1]
    assert lines[-1]["end"]["rule"] == "permission.kv.app"


def test_the_call_that_ended_a_run_is_recorded(here: Stage) -> None:
    lines = lines_of(here, "while True:\n    yield 'x' * 100_000")
    assert lines[-2]["ended"] == "limit.output"
    assert lines[-1]["end"]["rule"] == "limit.output"


def test_the_page_describes_what_is_written(here: Stage) -> None:
    samples = [json.loads(text) for text in re.findall(r"^\{.*\}$", PAGE, re.MULTILINE)]
    header, *calls, end = lines_of(here, "yield ctx.llm.complete('hello')\nraise ValueError('no')")
    assert samples[0].keys() == header.keys()
    assert {key for line in calls for key in line} < {key for line in samples for key in line}
    assert samples[-1]["end"].keys() == end["end"].keys()


def test_a_run_that_nobody_carries_out_any_more_gets_its_last_line(
    here: Stage, empty_database: Database, tmp_path: Path
) -> None:
    with stage(empty_database, tmp_path) as dead:
        run_id = dead.queued(here.app(), state=RunState.RUNNING)
    here.executor.reap()
    [end] = here.audits.lines(run_id)
    assert end == {"end": {"kind": "failed", "rule": "store.web-ended"}}


def test_a_log_that_grew_too_long_tells_sizes(tmp_path: Path) -> None:
    audits = AuditLogs(tmp_path, most_bytes=340)
    writer = audits.open(RUN)
    for number in range(1, 5):
        writer.call({"n": number, "op": "kv.set", "payload": {"value": "x" * 100}, "answer": None})
    writer.end("finished", None)
    writer.close()
    lines = list(audits.lines(RUN))
    assert [line.get("n") for line in lines] == [1, 2, 3, 4, None]
    assert [line.get("payload_bytes") for line in lines] == [None, None, 112, 112, None]
    assert "payload" in lines[1]
    assert "payload" not in lines[2]


def test_a_line_cut_off_by_a_crash_costs_no_other(tmp_path: Path) -> None:
    audits = AuditLogs(tmp_path, most_bytes=1000)
    audits.path(RUN).write_bytes(b'{"n":1}\n{"n":2,"pay')
    writer = audits.open(RUN)
    writer.end("failed", "store.web-ended")
    writer.close()
    assert [line.get("n", "end") for line in audits.lines(RUN)] == [1, "end"]


def test_a_call_as_deep_as_json_goes_is_recorded(tmp_path: Path) -> None:
    audits = AuditLogs(tmp_path, most_bytes=10_000_000)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    writer = audits.open(RUN)
    writer.call({"n": 1, "op": "kv.set", "payload": deep})
    writer.close()
    assert list(audits.lines(RUN)) == [{"n": 1, "op": "kv.set", "payload_bytes": -1}]


@given(st.dictionaries(st.sampled_from(["payload", "answer", "input", "op", "at_ms"]), JSON))
def test_without_contents_no_word_is_left(line: dict[str, Any]) -> None:
    shown = without_contents(line)
    assert shown.keys().isdisjoint({"payload", "answer", "input"})
    assert len(shown) == len(line)
    for name in ("payload", "answer", "input"):
        assert (f"{name}_bytes" in shown) == (name in line)


def test_others_read_nothing_that_an_app_wrote() -> None:
    refused = {"code": "host.unknown-op", "message": "The store has no function “a secret wish”."}
    line = {"n": 1, "op": "a secret wish", "payload": "a secret wish", "refused": refused}
    assert for_others({**line, "at_ms": 3}) == {
        "n": 1, "op": "unknown", "payload_bytes": 15, "refused": {"code": "host.unknown-op"},
        "at_ms": 3,
    }  # fmt: skip
    assert for_others({"n": 2, "op": "kv.get", "answer": 1})["op"] == "kv.get"
    assert for_others({"end": {"kind": "failed"}}) == {"end": {"kind": "failed"}}


def test_old_logs_are_forgotten_and_events_are_not(here: Stage) -> None:
    run = here.perform(here.app())
    assert here.audits.forget_older_than(3600) == 0
    assert here.audits.forget_older_than(-1) == 1
    assert here.logs.path(run.id).exists()
    assert here.logs.forget_older_than(-1) == 1
