"""From what a person typed to what an app's schema asks for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.runs import fields

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["text", "count"],
    "additionalProperties": False,
    "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": 10},
        "count": {"type": "integer", "minimum": 1, "maximum": 5},
        "share": {"type": "number"},
        "loud": {"type": "boolean"},
        "tone": {"enum": ["brief", "friendly"]},
    },
}


def test_texts_become_the_types_the_schema_asks_for() -> None:
    form = {"text": "a\r\nb", "count": "3", "share": "0.5", "loud": "on", "tone": "brief"}
    values = fields.values_of(form, SCHEMA)
    assert values == {"text": "a\nb", "count": 3, "share": 0.5, "loud": True, "tone": "brief"}
    assert fields.problems(values, SCHEMA) == {}


def test_an_unticked_box_is_false_and_an_empty_optional_field_is_left_out() -> None:
    assert fields.values_of({"text": "hi", "count": "1", "share": ""}, SCHEMA) == {
        "text": "hi",
        "count": 1,
        "loud": False,
    }


@pytest.mark.parametrize(
    ("form", "field", "sentence"),
    [
        ({"count": "1"}, "text", "fill this in"),
        ({"text": "", "count": "1"}, "text", "fill this in"),
        ({"text": "x" * 11, "count": "1"}, "text", "10 is the most"),
        ({"text": "hi", "count": "many"}, "count", "must be a number"),
        ({"text": "hi", "count": "0"}, "count", "at least 1"),
        ({"text": "hi", "count": "6"}, "count", "at most 5"),
        ({"text": "hi", "count": "1", "tone": "rude"}, "tone", "brief, friendly"),
    ],
)
def test_each_fault_is_told_beside_its_field(
    form: dict[str, str], field: str, sentence: str
) -> None:
    found = fields.problems(fields.values_of(form, SCHEMA), SCHEMA)
    assert sentence in found[field]
    assert list(found) == [field]


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "-action"]), st.text()))
def test_whatever_is_typed_is_read_or_told_but_never_breaks(form: dict[str, str]) -> None:
    values = fields.values_of(form, SCHEMA)
    assert values.keys() <= SCHEMA["properties"].keys()
    assert all(fields.problems(values, SCHEMA).values())


def test_numbers_that_json_does_not_have_are_no_numbers() -> None:
    for text in ("inf", "-Infinity", "nan", "1e999"):
        values = fields.values_of({"text": "a", "count": "1", "share": text}, SCHEMA)
        assert fields.problems(values, SCHEMA) == {"share": "This must be a number."}


def test_characters_that_no_database_keeps_are_mended() -> None:
    assert fields.values_of({"text": "a\0b"}, SCHEMA)["text"] == "a\ufffdb"
