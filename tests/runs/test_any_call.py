"""Whatever an app asks of the store's own side, it is answered with JSON or refused by a rule."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from marketplace.infra.db import Database
from marketplace.runs.host_calls import Desk
from marketplace.sandbox import grants
from marketplace.sandbox.ports import Later, Refused
from tests.factories.desks import Counter
from tests.factories.runs import stage

WORDS = st.sampled_from(
    ["user", "app", "text", "table", "chart", "image", "slot", "markdown", "go", "GET", "object",
     "http://example.org/", "after-result", "0" * 32, "system", "auto", "\0", "\ud800", "-1", ""]
)  # fmt: skip
KEYS = st.sampled_from(
    ["scope", "key", "value", "by", "expected", "prefix", "messages", "role", "content", "images",
     "tool_calls", "max_tokens", "temperature", "json_schema", "tools", "tool_choice", "logprobs",
     "handle", "texts", "url", "method", "headers", "body_base64", "file", "offset", "length",
     "name", "n", "kind", "text", "format", "columns", "rows", "series", "places", "product",
     "schema", "title", "type", "properties", "done", "total", "level"]
)  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 70)
    | st.sampled_from([2**31, 2**63, -(2**70), 1e308])
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS
    | st.text(max_size=6)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
CALLS = st.tuples(
    st.sampled_from(sorted(grants.OPS)) | st.text(max_size=5), st.dictionaries(KEYS, VALUES)
)
ALL = ("llm.generate", "llm.embed", "kv.user", "kv.app", "ads.show", "billing.entitlement")
MORE = ("billing.meter", "files.read", "net.fetch")


@pytest.fixture
def desk(empty_database: Database, tmp_path: Path) -> Iterator[Desk]:
    with stage(empty_database, tmp_path) as here:
        counter = Counter(here, here.app(permissions=(*ALL, *MORE)))
        yield counter.desk
        counter.events.close()


@pytest.mark.fuzz
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(calls=st.lists(CALLS, max_size=6))
@example(calls=[("billing.entitled", {"product": word}) for word in ("\0", "\ud800")])
def test_any_call_is_answered_or_refused_and_breaks_nothing(
    desk: Desk, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    for op, payload in calls:
        # As it comes over the wire.
        asked = json.loads(json.dumps(payload))
        try:
            answer = desk.call(op, asked)
        except Refused as refused:
            told = refused.code and refused.message.endswith(".")
        else:
            told = isinstance(answer, Later) or json.dumps(answer)
        assert told
