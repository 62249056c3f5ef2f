"""The store's end of a run's calls: whatever a runner sends, each call is one line of the log."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.sandbox import grants
from marketplace.sandbox.desk import Desk, Ended
from marketplace.sandbox.wire import BrokenFrame
from tests.factories.sandbox import Host, limits

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(["scope", "key", "value", "kind", "text", "name"])
PAYLOADS = (
    st.text(max_size=40)
    | st.dictionaries(KEYS, VALUES | st.sampled_from(["user", "app", "slot"])).map(json.dumps)
    | st.integers(1, 2000).map(lambda depth: "[" * depth)
)
FRAMES = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(sorted(grants.OPS)) | st.text(max_size=70) | VALUES,
        "payload": PAYLOADS | VALUES,
    },
)
GRANTED = st.frozensets(st.sampled_from(sorted(grants.EVERYTHING)))


def test_a_number_larger_than_any_is_refused() -> None:
    host = Host()
    desk = Desk(host, grants.EVERYTHING, limits())
    payload = '{"kind": "json", "value": 1e400}'
    answer = desk.answer({"t": "call", "op": "output.write", "payload": payload})
    assert (answer["t"], answer["code"]) == ("refusal", "host.payload")
    assert host.calls == []


@pytest.mark.fuzz
@given(st.lists(FRAMES, max_size=8), GRANTED)
def test_any_call_is_answered_or_ends_the_run_and_is_one_line(
    frames: list[dict[str, Any]], granted: frozenset[str]
) -> None:
    host, lines = Host(), list[dict[str, Any]]()
    desk = Desk(host, granted, limits(host_calls=5), lines.append)
    calls = 0
    with suppress(Ended, BrokenFrame):
        for frame in frames:
            is_call = isinstance(frame.get("op"), str) and isinstance(frame.get("payload"), str)
            calls += is_call
            answer = desk.answer(frame)
            assert answer["t"] in {"answer", "refusal"}
    assert [line["n"] for line in lines] == list(range(1, calls + 1))
    assert all(
        grants.needed(op, payload) in {None, *granted} and op in grants.OPS
        for op, payload in host.calls
    )
