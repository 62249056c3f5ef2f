"""An app's own words in another language: only what people read changes."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from marketplace.catalog.wording import translated

WORDS = {"Tone": "النبرة", "warm": "دافئة", "Write it": "اكتبه", "title": "خطأ"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("label"), inner),
    max_leaves=20,
)


def action(**tone: Any) -> dict[str, Any]:
    field = {"type": "string", "enum": ["warm", "cool"], "default": "warm", **tone}
    properties = {"tone": field, "title": {"type": "string", "examples": ["Write it"]}}
    return {"name": "write", "title": "Write it", "input_schema": {"properties": properties}}


def test_captions_and_choices_are_translated_and_names_and_values_are_not() -> None:
    found = translated(action(**{"x-ui": {"widget": "select", "label": "Tone"}}), WORDS)
    properties = found["input_schema"]["properties"]
    assert (found["name"], found["title"]) == ("write", "اكتبه")
    assert properties["tone"] == {
        "type": "string",
        "enum": ["warm", "cool"],
        "default": "warm",
        "x-ui": {"widget": "select", "label": "النبرة", "options": {"warm": "دافئة"}},
    }
    assert properties["title"] == {"type": "string", "examples": ["Write it"]}


def test_what_was_described_stays_as_it_is() -> None:
    described = action()
    translated(described, WORDS)
    assert described == action()


@given(JSON)
def test_without_words_nothing_changes(node: Any) -> None:
    assert translated(node, {}) == node


@given(JSON, st.dictionaries(st.text(min_size=1), st.text(min_size=1)))
def test_whatever_is_described_keeps_its_shape(node: Any, words: dict[str, str]) -> None:
    found = translated(node, words)
    if isinstance(node, dict):
        assert found.keys() - {"x-ui"} == node.keys() - {"x-ui"}
    else:
        assert type(found) is type(node)
