"""From what a person typed to what an app's schema asks for."""

from pathlib import Path
from typing import Any

import pytest
from caravan import forms
from hypothesis import given
from hypothesis import strategies as st
from referencing.exceptions import Unresolvable

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


PLACE = {
    "type": "object",
    "required": ["city"],
    "additionalProperties": False,
    "properties": {
        "city": {"type": "string", "minLength": 2, "x-ui": {"label": "City"}},
        "floor": {"type": "integer"},
        "lift": {"type": "boolean"},
    },
}
NESTED: dict[str, Any] = {
    "type": "object",
    "required": ["home"],
    "properties": {
        "home": PLACE,
        "work": PLACE,
        "trips": {"type": "array", "items": PLACE, "minItems": 1, "maxItems": 2},
        "notes": {"type": "object", "format": "caravan-file"},
    },
}


def test_groups_and_rows_are_read_where_they_are_filled() -> None:
    form = {
        "home.city": "Fes",
        "home.floor": "2",
        "trips.10.city": "Rabat",
        "trips.10.lift": "true",
        "trips.9.city": "",
        "trips.2.city": "Salé",
        "trips.x.city": "nowhere",
    }
    file = {"file": "f1", "name": "a.txt", "media_type": "text/plain", "size_bytes": 3}
    assert fields.values_of(form, NESTED, {"notes": file}) == {
        "home": {"city": "Fes", "floor": 2, "lift": False},
        "trips": [{"city": "Salé", "lift": False}, {"city": "Rabat", "lift": True}],
        "notes": file,
    }


def test_a_fault_inside_a_group_or_a_row_is_told_at_its_path() -> None:
    form = {"trips.0.city": "F", "trips.3.floor": "many"}
    values = fields.values_of(form, NESTED)
    assert fields.problems(values, NESTED) == {
        "home.city": "Please fill this in.",
        "trips.0.city": "Write at least 2 characters.",
        "trips.1.city": "Please fill this in.",
        "trips.1.floor": "This must be a number.",
    }
    full = {"home": {"city": "Fes"}, "trips": [{"city": "Fes"}] * 3}
    assert fields.problems(full, NESTED) == {"trips": "Fill in at most 2 rows."}
    assert fields.problems({"home": {"city": "Fes"}, "trips": []}, NESTED) == {
        "trips": "Fill in at least 1 rows."
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of fetching, which it must not
def test_a_schema_that_refers_elsewhere_reads_nothing_there(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"enum": ["hunter2"]}')
    schema = {"type": "object", "additionalProperties": {"$ref": secret.as_uri()}}
    with pytest.raises(Unresolvable, match="secret"):
        fields.problems({"z": 1}, schema)


def test_a_single_choice_is_told_whole() -> None:
    schema = {"type": "object", "properties": {"tone": {"const": "brief"}}}
    assert fields.problems({"tone": "x"}, schema) == {"tone": "Choose one of: brief."}


def test_what_was_typed_comes_back_as_it_was() -> None:
    form = {"home.floor": "many", "home.city": "", "trips.4.floor": "x", "trips.4.lift": "true"}
    assert forms.typed(form, NESTED) == {
        "home": {"floor": "many", "city": "", "lift": False},
        "trips": [{"floor": "x", "lift": True}],
    }


def test_what_was_asked_is_told_in_words() -> None:
    file = {"file": "f1", "name": "a.txt", "media_type": "text/plain", "size_bytes": 3456}
    home = {"city": "Fes", "lift": True, "attic": 1}
    assert fields.told(home, PLACE) == "City: Fes · lift: yes · attic: 1"
    assert fields.told([home, {"city": "Salé"}], NESTED["properties"]["trips"]).splitlines() == [
        "City: Fes · lift: yes · attic: 1",
        "City: Salé",
    ]
    assert fields.told(file, NESTED["properties"]["notes"]) == "a.txt (3.5 kB)"
    assert fields.told("hush", {"type": "string", "writeOnly": True}) == "••••••"
    assert (fields.told(False, {}), fields.told(2, {})) == ("no", "2")


def test_numbers_that_json_does_not_have_are_no_numbers() -> None:
    for text in ("inf", "-Infinity", "nan", "1e999"):
        values = fields.values_of({"text": "a", "count": "1", "share": text}, SCHEMA)
        assert fields.problems(values, SCHEMA) == {"share": "This must be a number."}


def test_characters_that_no_database_keeps_are_mended() -> None:
    assert fields.values_of({"text": "a\0b"}, SCHEMA)["text"] == "a\ufffdb"
