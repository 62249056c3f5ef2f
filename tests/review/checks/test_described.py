"""A description is a stranger's word: what is taken, and that nothing else gets through."""

from typing import Any

import pytest
from caravan import App
from hypothesis import given
from hypothesis import strategies as st

from marketplace.review.checks.described import RULE, check_description

SOUND = {"type": "object", "properties": {"text": {"type": "string", "x-ui": {"label": "Text"}}}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "x-ui", "$ref", "name", "actions"])
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def action(**given: Any) -> dict[str, Any]:
    return {"name": "go", "title": "Go", "doc": "", "input_schema": SOUND, **given}


def one(field: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": field}}


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def test_what_the_sdk_describes_is_taken() -> None:
    app = App()

    @app.action("Go")
    def go(text: str, count: int = 3) -> str:
        return text * count

    assert check_description(app.describe()) is None


@pytest.mark.parametrize(
    "actions",
    [
        [],
        "go",
        [5],
        [action(name="Go now")],
        [action(title="")],
        [action(title="x" * 101)],
        [action(), action()],
        [action(input_schema={"type": "array"})],
        [action(input_schema={"type": "object", "properties": 5})],
        [action(input_schema={"type": "object", "properties": {"a": "b"}})],
        [action(input_schema={"type": "object", "$ref": "http://169.254.169.254/"})],
        [action(input_schema={**SOUND, "additionalProperties": {"$ref": "file:///etc/passwd"}})],
        [action(input_schema=one({"type": "object", "additionalProperties": {}}))],
        [action(input_schema={"type": "object", "properties": {"a": {"allOf": []}}})],
        [action(input_schema={"type": "object", "properties": {"a": {"type": "wish"}}})],
        [action(input_schema={"type": "object", "properties": {"a": {"x-ui": 5}}})],
        [action(input_schema={"type": "object", "properties": {"a": {"x-ui": {"label": []}}}})],
        [action(input_schema=one({"x-ui": {"accept": "*"}}))],
        [action(input_schema=one({"type": "integer", "writeOnly": True}))],
        [action(input_schema=one({"type": "object", "writeOnly": True}))],
        [action(input_schema=one({"x-ui": {"max_bytes": "9"}}))],
        [action(input_schema=deep(9))],
        [action(input_schema={"type": "object", "properties": {str(n): {} for n in range(400)}})],
    ],
)  # fmt: skip
def test_a_hostile_description_is_turned_down(actions: Any) -> None:
    found = check_description({"actions": actions})
    assert found is not None
    assert (found.rule, found.level) == (RULE, "error")


@pytest.mark.fuzz
@given(JSON)
def test_any_json_is_taken_or_turned_down(found: Any) -> None:
    given = found if isinstance(found, dict) else {"actions": found}
    for each in (given, {"actions": [action(input_schema=given)]}):
        answer = check_description(each)
        assert answer is None or answer.rule == RULE
