"""From annotations to JSON Schema, and values checked against it without any library."""

import dataclasses
from enum import Enum
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from caravan import Field, File, InvalidAction, Secret, schema
from hypothesis import given
from hypothesis import strategies as st


class Mood(Enum):
    CALM = "calm"
    BOLD = "bold"


@dataclasses.dataclass(frozen=True)
class Place:
    city: Annotated[str, Field(min_length=2)]
    floor: int = 0


@dataclasses.dataclass(frozen=True)
class Nested:
    place: Place


def test_a_long_text_becomes_a_text_area_with_its_limits() -> None:
    text = schema.parameter(
        "raw_text", Annotated[str, Field(multiline=True, max_length=8000, placeholder="Paste")]
    )
    assert text.schema == {
        "type": "string",
        "maxLength": 8000,
        "x-ui": {"widget": "textarea", "label": "Raw text", "placeholder": "Paste"},
    }


@pytest.mark.parametrize(
    ("annotation", "widget", "kind"),
    [
        (str, "text", "string"),
        (bool, "switch", "boolean"),
        (int, "number", "integer"),
        (float, "number", "number"),
        (Annotated[int, Field(ge=1, le=5)], "slider", "integer"),
        (Annotated[int, Field(ge=1)], "number", "integer"),
        (Literal["a", "b"], "select", "string"),
        (Literal[1, 2], "select", "integer"),
        (Mood, "select", "string"),
        (str | None, "text", "string"),
        (Place, "group", "object"),
        (list[Place], "table", "array"),
        (File, "file", "object"),
        (Secret, "password", "string"),
    ],
)
def test_every_type_has_its_widget(annotation: Any, widget: str, kind: str) -> None:
    described = schema.parameter("value", annotation).schema
    assert (described["x-ui"]["widget"], described["type"]) == (widget, kind)


@pytest.mark.parametrize(
    "annotation",
    [
        list[str],
        list[Nested],
        bytes,
        Literal["a", 1],
        Annotated[str, Field(ge=1)],
        Annotated[bool, Field(min_length=1)],
        Annotated[str, Field(pattern="(")],
    ],
)
def test_a_type_that_cannot_be_in_a_form_is_refused_by_name(annotation: Any) -> None:
    with pytest.raises(InvalidAction, match=r"“(colour|place)”"):
        schema.parameter("colour", annotation)


def test_a_default_must_keep_its_own_rules() -> None:
    with pytest.raises(InvalidAction, match=r"“stars” does not fit .* Stars must be 5 or less"):
        schema.parameter("stars", Annotated[int, Field(le=5)], 9)


def test_an_enum_and_a_dataclass_arrive_as_themselves() -> None:
    assert schema.argument("bold", Mood) is Mood.BOLD
    assert schema.argument({"city": "Fes", "floor": 2.0}, Place) == Place("Fes", 2)
    described = schema.parameter("place", Place, Place("Fes")).schema
    assert described["default"] == {"city": "Fes", "floor": 0}


ANNOTATIONS: list[Any] = [
    str,
    Annotated[str, Field(min_length=2, max_length=4)],
    Annotated[str, Field(pattern="^[a-c]+$")],
    int,
    Annotated[int, Field(ge=-2, le=3)],
    float,
    Annotated[float, Field(ge=0.5)],
    bool,
    Literal["a", "b"],
    Literal[1, 2],
    Mood,
    Place,
    Annotated[list[Place], Field(min_items=1, max_items=2)],
    File,
    Secret,
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(-5, 5)
    | st.sampled_from([1.0, 2.0, "calm", "bold", "a", "ab", "abc", "cab", "abcde", "", "🚐🚐"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["city", "floor", "x"]), inner, max_size=3)
    ),
    max_leaves=4,
)


@pytest.mark.fuzz
@given(annotation=st.sampled_from(ANNOTATIONS), value=VALUES)
def test_the_guest_agrees_with_a_real_json_schema_validator(annotation: Any, value: Any) -> None:
    described = schema.parameter("value", annotation).schema
    validator = jsonschema.Draft202012Validator(described)
    assert (schema.check(value, described, "value") == {}) == validator.is_valid(value)


def test_every_described_input_is_itself_valid_json_schema() -> None:
    for annotation in ANNOTATIONS:
        parameters = {"value": schema.parameter("value", annotation)}
        jsonschema.Draft202012Validator.check_schema(schema.object_schema(parameters))


def test_a_file_says_what_may_be_picked() -> None:
    field = Field(accept=(".txt", "image/png"), max_bytes=1000)
    ui = schema.parameter("notes", Annotated[File, field]).schema["x-ui"]
    assert ui == {
        "widget": "file",
        "label": "Notes",
        "max_bytes": 1000,
        "accept": [".txt", "image/png"],
    }


def test_rows_files_and_secrets_arrive_as_themselves() -> None:
    assert schema.argument([{"city": "Fes"}], list[Place]) == [Place("Fes")]
    value = {"file": "f1", "name": "a.txt", "media_type": "text/plain", "size_bytes": 3}
    assert schema.argument(value, File) == File("f1", "a.txt", "text/plain", 3)
    secret = schema.argument("hush", Secret)
    assert (secret, repr(secret)) == ("hush", "Secret(…)")
    rows = schema.parameter("places", list[Place], [Place("Fes")]).schema
    assert rows["default"] == [{"city": "Fes", "floor": 0}]


def test_a_wrong_cell_is_told_at_its_row() -> None:
    rows = schema.parameter("places", list[Place]).schema
    assert schema.check([{"city": "Fes"}, {"city": "F"}], rows, "places") == {
        "places.1.city": "City needs at least 2 characters."
    }


def test_not_a_number_and_infinity_are_no_numbers() -> None:
    number = schema.parameter("size", float).schema
    for value in (float("nan"), float("inf")):
        assert schema.check(value, number, "size") == {"size": "Size must be a number."}


def test_each_wrong_value_has_a_sentence_at_its_path() -> None:
    parameters = {
        "place": schema.parameter("place", Place),
        "mood": schema.parameter("mood", Mood),
    }
    problems = schema.check(
        {"place": {"city": "F"}, "mood": "sad", "wine": 1}, schema.object_schema(parameters)
    )
    assert problems == {
        "wine": "There is no input “wine”; there are: place, mood.",
        "place.city": "City needs at least 2 characters.",
        "mood": "Mood must be one of: calm, bold.",
    }
