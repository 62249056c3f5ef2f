"""Schemas as grammars: what a grammar writes fits its schema, and what it cannot say is refused."""

import json
from contextlib import suppress
from random import Random
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.grammars.schemas import schema_gbnf
from marketplace.inference.ports import BadGeneration
from tests.inference.gbnf import rules_of, write

NODE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 5},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["name"],
        }
    },
    "$ref": "#/$defs/node",
}
names = st.text('ab"\\ مé{', min_size=1, max_size=4)
seeds = st.integers(0, 2**32)
plain_values = st.none() | st.booleans() | st.integers(-9, 9) | names


def counted(kind: str, least: str, most: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(st.integers(0, 5), st.integers(0, 5)).map(
        lambda counts: {"type": kind, least: min(counts), most: max(counts)}
    )


def bounded(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    def build(ends: tuple[int, int], keys: tuple[str, str]) -> dict[str, Any]:
        return {"type": kind, keys[0]: min(ends) - 2, keys[1]: max(ends) + 2}

    return st.builds(
        build,
        st.tuples(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6)),
        st.tuples(
            st.sampled_from(["minimum", "exclusiveMinimum"]),
            st.sampled_from(["maximum", "exclusiveMaximum"]),
        ),
    )


leaves = (
    st.sampled_from(
        [True, {}, {"type": "string"}, {"type": "null"}, {"type": ["integer", "null"]}]
        + [{"type": "boolean"}, {"type": "number"}, {"format": "date", "type": "string"}]
        + [
            {"type": "string", "pattern": pattern}
            for pattern in ("^a[^b-d]{2}$", r"\d+", '^("|x)$')
        ]
    )
    | st.lists(plain_values, min_size=1, max_size=4).map(lambda values: {"enum": values})
    | plain_values.map(lambda value: {"const": value})
    | counted("string", "minLength", "maxLength")
    | counted("array", "minItems", "maxItems")
    | bounded("integer")
    | bounded("number")
)


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(names, inner, max_size=4)
    return (
        st.builds(
            lambda some, count: {
                "type": "object",
                "properties": some,
                "required": sorted(some)[:count],
            },
            properties,
            st.integers(0, 4),
        )
        | inner.map(lambda each: {"type": "array", "items": each, "minItems": 1, "maxItems": 3})
        | inner.map(lambda each: {"type": "object", "additionalProperties": each})
        | st.lists(inner, min_size=1, max_size=3).map(lambda some: {"anyOf": some})
        | st.lists(inner, min_size=1, max_size=3).map(
            lambda some: {"type": "array", "prefixItems": some, "items": False}
        )
        | inner.map(
            lambda each: {
                "allOf": [
                    {"properties": {"a": each}, "required": ["a"]},
                    {"type": "object", "properties": {"b": {"type": "integer"}}},
                ]
            }
        )
    )


schemas = st.recursive(leaves, grown, max_leaves=8).map(
    lambda schema: {} if schema is True else schema
)


def written(schema: Any, seed: int = 0) -> Any:
    return json.loads(write(rules_of(schema_gbnf(schema)), Random(seed)))


@given(schemas, seeds)
def test_whatever_the_grammar_writes_fits_the_schema(schema: dict[str, Any], seed: int) -> None:
    jsonschema.validate(written(schema, seed), schema)


@given(seeds)
def test_a_schema_may_contain_itself(seed: int) -> None:
    jsonschema.validate(written(NODE, seed), NODE)


@given(st.integers(-2000, 2000), st.integers(0, 2000), st.integers(-3000, 5000))
def test_exactly_the_whole_numbers_between_two_bounds_are_allowed(
    least: int, more: int, number: int
) -> None:
    schema = {"type": "integer", "minimum": least, "maximum": least + more}
    rules = rules_of(schema_gbnf(schema))
    assert matches(rules, str(number)) == (least <= number <= least + more)


def matches(rules: dict[str, Any], text: str) -> bool:
    """Whether the grammar allows exactly this text; for grammars without recursion."""

    def ends(node: Any, at: int) -> set[int]:
        kind, inner = node[0], node[1]
        if kind == "text":
            return {at + len(inner)} if text.startswith(inner, at) else set()
        if kind == "set":
            is_in = at < len(text) and any(a <= ord(text[at]) <= b for a, b in inner)
            return {at + 1} if is_in else set()
        if kind == "rule":
            return ends(rules[inner], at)
        if kind == "any":
            return set().union(*(ends(each, at) for each in inner))
        found = {at}
        if kind == "all":
            for each in inner:
                found = set().union(*(ends(each, place) for place in found))
            return found
        every = {at} if node[2] == 0 else set()
        for count in range(1, node[3] + 1):
            found = set().union(*(ends(inner, place) for place in found))
            every |= found if count >= node[2] else set()
        return every

    return len(text) in ends(rules["root"], 0)


def test_two_things_of_one_name_are_kept_apart() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"$ref": "#/$defs/a"}},
        "required": ["a", "b"],
        "$defs": {"a": {"const": "text"}},
    }
    assert written(schema)["b"] == "text"


def test_needed_properties_come_first_and_may_be_undeclared() -> None:
    schema = {"properties": {"later": True}, "required": ["first", "first"]}
    rules = rules_of(schema_gbnf(schema))
    for seed in range(20):
        assert next(iter(json.loads(write(rules, Random(seed))))) == "first"


def test_letters_of_every_script_are_written_as_they_are() -> None:
    text = write(rules_of(schema_gbnf({"enum": ["مرحبا"]})), Random(0))
    assert text == '"مرحبا"'


@given(seeds)
def test_no_text_holds_half_a_character(seed: int) -> None:
    value = written({"type": "array", "items": {"type": "string"}, "minItems": 5}, seed)
    "".join(value).encode()


@pytest.mark.parametrize(
    ("schema", "where", "what"),
    [
        ({"type": "objekt"}, "", "the type 'objekt'"),
        ({"type": []}, "", "allows no type"),
        ({"properties": [1]}, "", "`properties` that are no object"),
        ({"properties": {"a": 7}}, "/properties/a", "is not a JSON Schema"),
        ({"properties": {"a": False}}, "/properties/a", "allows nothing"),
        ({"required": ["a"], "additionalProperties": False}, "/properties/a", "allows nothing"),
        ({"required": [1]}, "/required", "no text"),
        ({"enum": []}, "/enum", "not a list of values"),
        ({"anyOf": []}, "/anyOf", "not a list of schemas"),
        ({"anyOf": [{}, 1]}, "/anyOf/1", "is not a JSON Schema"),
        ({"allOf": [1]}, "", "combines what are no schemas"),
        ({"allOf": [{"required": "a"}, {"required": ["b"]}]}, "", "`required`"),
        ({"allOf": [{"type": "string"}, {"type": "null"}]}, "", "two different kinds of `type`"),
        ({"not": {}}, "", "`not`"),
        ({"type": "array", "uniqueItems": True}, "", "`uniqueItems`"),
        ({"minimum": 1}, "", "no `type`"),
        ({"type": "integer", "minimum": "a"}, "/minimum", "not a number"),
        ({"type": "integer", "minimum": 1e300}, "/minimum", "too large"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "", "no number"),
        ({"type": "number", "minimum": 0.2, "maximum": 0.8}, "", "no number"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, "", "`minLength` above"),
        ({"type": "string", "minLength": -1}, "/minLength", "whole number from 0"),
        ({"type": "string", "maxLength": 10**9}, "", "`maxLength` of 1000000000; 1000"),
        ({"type": "string", "pattern": 7}, "/pattern", "not a text"),
        ({"type": "string", "pattern": "a", "minLength": 1}, "", "put the length into it"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "", "`minItems` above"),
        ({"type": "array", "prefixItems": 1}, "/prefixItems", "not a list"),
        ({"type": "array", "prefixItems": [{}], "minItems": 2}, "", "more or fewer items"),
        ({"$ref": "https://example.com/x"}, "", "only `#/"),
        ({"$ref": "#/$defs/x"}, "", "which is not there"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}}}, "#/$defs/a", "not there"),
        ({"allOf": [{"$ref": "#/allOf/0"}]}, "", "leads back to itself"),
        ({"enum": [float("nan")]}, "", "cannot be written as JSON"),
        ({"enum": ["\ud800"]}, "", "cannot be written as JSON"),
        ({"enum": ["x" * 40_000]}, "", "32768 are allowed"),
        ({"enum": ["]" * 30_000]}, "", "too large"),
    ],
)
def test_a_schema_that_cannot_be_kept_is_refused_by_its_place(
    schema: dict[str, Any], where: str, what: str
) -> None:
    with pytest.raises(BadGeneration) as refused:
        schema_gbnf(schema)
    assert refused.value.rule == "llm.schema"
    assert what in refused.value.message
    assert where in refused.value.message


def test_a_schema_nested_without_end_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(200):
        schema = {"type": "array", "items": schema}
    with pytest.raises(BadGeneration, match="nested too deep"):
        schema_gbnf(schema)
    endless: dict[str, Any] = {}
    endless["items"] = endless
    with pytest.raises(BadGeneration, match="cannot be written as JSON"):
        schema_gbnf(endless)


KEYWORDS = (
    "type items properties anyOf allOf $ref enum required pattern minItems minimum "
    "additionalProperties a"
).split()


@pytest.mark.fuzz
@given(
    st.recursive(
        plain_values,
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYWORDS), inner),
        max_leaves=20,
    )
)
def test_nonsense_is_refused_or_gives_json_and_never_anything_else(value: Any) -> None:
    schema = {"type": ["object", "string"], **(value if isinstance(value, dict) else {})}
    with suppress(BadGeneration):
        rules = rules_of(schema_gbnf(schema))
        if "ref0" not in rules:
            json.loads(write(rules, Random(1)))
