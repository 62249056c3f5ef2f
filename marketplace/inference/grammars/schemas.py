"""JSON Schemas as GBNF: whatever the grammar lets a model write fits the schema. Pure.

A grammar may be narrower than its schema, never wider in what it claims to understand:

- declared properties are written in order, the needed ones first, and no others beside them;
- `oneOf` is read as `anyOf`; `format` is kept for dates, times and UUIDs and else ignored;
- bounds of numbers that are no whole numbers are drawn in to the next ones.

What would be ignored and makes a difference is refused by name, so that nobody relies on it.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from marketplace.inference.grammars.chars import complement, literal, plain_in_json
from marketplace.inference.grammars.numbers import Bounds, decimal, whole
from marketplace.inference.grammars.patterns import pattern_gbnf
from marketplace.inference.ports import BadGeneration

LARGEST_SCHEMA_BYTES = 32 * 1024
LARGEST_GRAMMAR_BYTES = 64 * 1024
LARGEST_COUNT = 1000  # of items or characters a schema may ask for
DEEPEST = 60
MOST_NODES = 5000
UNSUPPORTED = frozenset(
    "not if then else contains minContains maxContains uniqueItems multipleOf patternProperties "
    "propertyNames minProperties maxProperties dependentRequired dependentSchemas dependencies "
    "unevaluatedItems unevaluatedProperties $dynamicRef".split()
)
TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
# Keywords that say what a value must be; all others only describe it.
ASSERTIONS = frozenset(
    "$ref type enum const properties required additionalProperties items prefixItems minItems "
    "maxItems minLength maxLength pattern format minimum maximum exclusiveMinimum "
    "exclusiveMaximum anyOf oneOf allOf".split()
)
BELONGS = {
    "properties": "object",
    "required": "object",
    "additionalProperties": "object",
    "items": "array",
    "prefixItems": "array",
    "pattern": "string",
    "minLength": "string",
    "maxLength": "string",
}
DATE = '[0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | "1" [0-9] | "2" [0-8])'
TIME = '("0" [0-9] | "1" [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] "Z"'
HEX = "[0-9a-f]"
FORMATS = {
    "date": DATE,
    "time": TIME,
    "date-time": f'{DATE} "T" {TIME}',
    "uuid": f'{HEX}{{8}} "-" {HEX}{{4}} "-" {HEX}{{4}} "-" {HEX}{{4}} "-" {HEX}{{12}}',
}
# Escapes stand for whole characters: half a surrogate pair is no text anybody can keep.
CHAR = (
    f'{plain_in_json(complement(((0x7F, 0x9F),)))} | "\\\\" (["\\\\/bfnrt] | '
    '"u" ([0-9a-cA-Ce-fE-F] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}))'
)
SEPARATOR = ' ws "," ws '
BUILT_IN = {
    "ws": '" "?',
    "char": CHAR,
    "string": '"\\"" char* "\\""',
    "integer": whole(Bounds()),
    "number": decimal(Bounds()),
    "boolean": '"true" | "false"',
    "null": '"null"',
    "array": '"[" ws (value (ws "," ws value)*)? ws "]"',
    "object": '"{" ws (string ws ":" ws value (ws "," ws string ws ":" ws value)*)? ws "}"',
    "value": "object | array | string | number | boolean | null",
}


def schema_gbnf(schema: Mapping[str, Any]) -> str:
    """The GBNF that writes JSON values of a schema.

    Raises: BadGeneration naming what is too large, no schema, or beyond a grammar.
    """
    try:
        size = len(json.dumps(schema, ensure_ascii=False, allow_nan=False).encode())
    except (RecursionError, TypeError, ValueError) as error:
        raise _refusal("", f"cannot be written as JSON ({error})") from error
    if size > LARGEST_SCHEMA_BYTES:
        raise _refusal("", f"has {size} bytes; {LARGEST_SCHEMA_BYTES} are allowed")
    text = _Writer(schema).write()
    if len(text) > LARGEST_GRAMMAR_BYTES:
        raise _refusal("", "makes a grammar that is too large; ask for less at once")
    return text


class _Writer:
    """Writes rules as it walks through one schema."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._rules: dict[str, str] = {}
        self._names: dict[str, str] = {}  # of rules, by what they say
        self._references: dict[str, str] = {}  # names of rules, by the pointer
        self._nodes = 0

    def write(self) -> str:
        body = self._value(self._root, "", 0)
        needed = {**BUILT_IN, **self._rules}
        return "\n".join(f"{name} ::= {text}" for name, text in {"root": body, **needed}.items())

    def _rule(self, text: str) -> str:
        if text in BUILT_IN:
            return text
        if text not in self._names:
            self._names[text] = name = f"r{len(self._names)}"
            self._rules[name] = text
        return self._names[text]

    def _value(self, schema: Any, path: str, depth: int) -> str:
        self._nodes += 1
        if depth > DEEPEST or self._nodes > MOST_NODES:
            raise _refusal(path, "is nested too deep, or has too many parts")
        if schema is True:
            return "value"
        if schema is False:
            raise _refusal(path, "allows nothing, but something has to stand there")
        if not isinstance(schema, Mapping):
            raise _refusal(path, "is not a JSON Schema, which is an object")
        for keyword in UNSUPPORTED & schema.keys():
            if schema[keyword] not in (False, None):
                raise _refusal(path, f"uses `{keyword}`, which a grammar cannot say")
        said = {key: value for key, value in schema.items() if key in ASSERTIONS}
        if set(said) == {"$ref"}:
            return self._reference(said["$ref"], path, depth)
        if "$ref" in said:
            target = self._target(said.pop("$ref"), path)
            return self._value(_merged(target, said, path), path, depth + 1)
        for keyword in ("allOf", "anyOf", "oneOf"):
            if keyword in said:
                return self._combined(keyword, said, path, depth)
        if "const" in said:
            return literal(json.dumps(said["const"], ensure_ascii=False))
        if "enum" in said:
            return self._enumeration(said["enum"], path)
        return self._typed(said, path, depth)

    def _combined(self, keyword: str, said: dict[str, Any], path: str, depth: int) -> str:
        parts = said.pop(keyword)
        if not isinstance(parts, list) or not parts:
            raise _refusal(f"{path}/{keyword}", "is not a list of schemas")
        if keyword == "allOf":
            for part in parts:
                said = _merged(said, self._resolved(part, path), path)
            return self._value(said, path, depth + 1)
        choices = [
            self._value(
                _merged(said, self._resolved(part, path), path) if said else part,
                f"{path}/{keyword}/{index}",
                depth + 1,
            )
            for index, part in enumerate(parts)
        ]
        return _either(choices)

    def _enumeration(self, values: Any, path: str) -> str:
        if not isinstance(values, list) or not values:
            raise _refusal(f"{path}/enum", "is not a list of values")
        return _either([literal(json.dumps(value, ensure_ascii=False)) for value in values])

    def _typed(self, said: dict[str, Any], path: str, depth: int) -> str:
        kinds = said.pop("type", None)
        if kinds is None:
            kinds = next((BELONGS[key] for key in said if key in BELONGS), None)
            if kinds is None and said.keys() - {"format"}:
                raise _refusal(path, "has bounds, but no `type` that they are for")
            if kinds is None:
                return "value"
        choices = []
        for kind in kinds if isinstance(kinds, list) else [kinds]:
            if kind not in TYPES:
                raise _refusal(path, f"has the type {kind!r:.40}, which is none of JSON's")
            choices.append(self._of_type(kind, said, path, depth))
        if not choices:
            raise _refusal(path, "allows no type")
        return _either(choices)

    def _of_type(self, kind: str, said: dict[str, Any], path: str, depth: int) -> str:
        if kind == "object":
            return self._object(said, path, depth)
        if kind == "array":
            return self._array(said, path, depth)
        if kind == "string":
            return self._string(said, path)
        if kind in {"integer", "number"}:
            bounds = _bounds(said, path)
            if bounds.is_free:
                return kind
            text = whole(bounds) if kind == "integer" else decimal(bounds)
            if not text:
                raise _refusal(path, "leaves no number that could be written between its bounds")
            return self._rule(text)
        return kind

    def _string(self, said: dict[str, Any], path: str) -> str:
        least, most = _count(said, "minLength", path), _count(said, "maxLength", path)
        if "pattern" in said:
            if least is not None or most is not None:
                raise _refusal(path, "has a `pattern` and a length; put the length into it")
            if not isinstance(said["pattern"], str):
                raise _refusal(f"{path}/pattern", "is not a text")
            return self._rule(f'"\\"" {pattern_gbnf(said["pattern"], self._rule)} "\\""')
        known = FORMATS.get(str(said.get("format")))
        if known and least is None and most is None:
            return self._rule(f'"\\"" {known} "\\""')
        if least is None and most is None:
            return "string"
        if most is not None and most < (least or 0):
            raise _refusal(path, "has a `minLength` above its `maxLength`")
        return self._rule(f'"\\"" {_repeated("char", least or 0, most)} "\\""')

    def _array(self, said: dict[str, Any], path: str, depth: int) -> str:
        least, most = _count(said, "minItems", path) or 0, _count(said, "maxItems", path)
        if most is not None and most < least:
            raise _refusal(path, "has a `minItems` above its `maxItems`")
        items, first = said.get("items", True), said.get("prefixItems")
        if isinstance(items, list):
            items, first = False, items
        if first is not None:
            return self._tuple(first, (least, most), path, depth)
        if items is False or most == 0:
            return '"[" ws "]"'
        item = self._rule(self._value(items, f"{path}/items", depth + 1))
        if most == 1:
            more = ""
        else:
            another = self._rule(f'ws "," ws {item}')
            more = " " + _repeated(another, max(least - 1, 0), None if most is None else most - 1)
        filled = f"{item}{more}"
        return f'"[" ws {filled if least else f"({filled})?"} ws "]"'

    def _tuple(self, first: Any, counts: tuple[int, int | None], path: str, depth: int) -> str:
        if not isinstance(first, list):
            raise _refusal(f"{path}/prefixItems", "is not a list of schemas")
        least, most = counts
        if least > len(first) or (most is not None and most < len(first)):
            raise _refusal(path, "counts more or fewer items than `prefixItems` lists")
        items = [
            self._rule(self._value(item, f"{path}/prefixItems/{index}", depth + 1))
            for index, item in enumerate(first)
        ]
        listed = SEPARATOR.join(items)
        return f'"[" ws {listed} ws "]"'

    def _object(self, said: dict[str, Any], path: str, depth: int) -> str:
        declared, needed = said.get("properties", {}), said.get("required", [])
        if not isinstance(declared, Mapping) or not isinstance(needed, list):
            raise _refusal(
                path, "has `properties` that are no object, or a `required` that is no list"
            )
        others = said.get("additionalProperties", True)
        if not declared and not needed:
            return self._free_object(others, path, depth)
        if not all(isinstance(name, str) for name in needed):
            raise _refusal(f"{path}/required", "names a property that is no text")
        needed = list(dict.fromkeys(needed))
        pairs = {
            name: self._pair(name, declared.get(name, others), path, depth)
            for name in [*needed, *(name for name in declared if name not in needed)]
        }
        first = SEPARATOR.join(pairs[name] for name in needed)
        optional = [pair for name, pair in pairs.items() if name not in needed]
        if needed:
            more = " ".join(f'(ws "," ws {pair})?' for pair in optional)
            return f'"{{" ws {first} {more} ws "}}"'
        return f'"{{" ws {self._any_of_in_order(optional)} ws "}}"'

    def _pair(self, name: str, schema: Any, path: str, depth: int) -> str:
        key = literal(json.dumps(name, ensure_ascii=False))
        value = self._value(schema, f"{path}/properties/{name}", depth + 1)
        return self._rule(f'{key} ws ":" ws ({value})')

    def _any_of_in_order(self, pairs: list[str]) -> str:
        """Any choice of optional pairs, with commas between those that are there."""
        choices, after = [], ""
        for pair in reversed(pairs):
            choices.append(f"{pair} {after}".strip())
            after = self._rule(f'(ws "," ws {pair})? {after}'.strip())
        return f"({' | '.join(reversed(choices))})?"

    def _free_object(self, others: Any, path: str, depth: int) -> str:
        if others is True:
            return "object"
        if others is False:
            return '"{" ws "}"'
        value = self._value(others, f"{path}/additionalProperties", depth + 1)
        pair = self._rule(f'string ws ":" ws ({value})')
        return f'"{{" ws ({pair} (ws "," ws {pair})*)? ws "}}"'

    def _reference(self, pointer: Any, path: str, depth: int) -> str:
        target = self._target(pointer, path)
        if pointer not in self._references:
            # The name is known before the rule is, so that a schema may contain itself.
            name = self._references[pointer] = f"ref{len(self._references)}"
            self._rules[name] = self._value(target, pointer.removeprefix("#"), depth + 1)
        return self._references[pointer]

    def _resolved(self, part: Any, path: str) -> Any:
        seen = set()
        while isinstance(part, Mapping) and "$ref" in part:
            pointer = part["$ref"]
            if str(pointer) in seen:
                raise _refusal(path, "has a `$ref` that leads back to itself")
            seen.add(str(pointer))
            siblings = {key: value for key, value in part.items() if key != "$ref"}
            part = _merged(self._target(pointer, path), siblings, path)
        return part

    def _target(self, pointer: Any, path: str) -> Any:
        if not isinstance(pointer, str) or not (pointer == "#" or pointer.startswith("#/")):
            raise _refusal(path, f"refers to {pointer!r:.60}; only `#/…` within itself works")
        found: Any = self._root
        for step in pointer.split("/")[1:]:
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and key in found:
                found = found[key]
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                raise _refusal(path, f"refers to `{pointer:.60}`, which is not there")
        return found


def _either(choices: list[str]) -> str:
    return choices[0] if len(choices) == 1 else f"({' | '.join(choices)})"


def _repeated(rule: str, least: int, most: int | None) -> str:
    return f"{rule}{{{least},{'' if most is None else most}}}"


def _count(said: Mapping[str, Any], key: str, path: str) -> int | None:
    count = said.get(key)
    if count is None:
        return None
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise _refusal(f"{path}/{key}", "is not a whole number from 0")
    if count > LARGEST_COUNT:
        raise _refusal(path, f"asks for a `{key}` of {count}; {LARGEST_COUNT} are allowed")
    return count


def _bounds(said: Mapping[str, Any], path: str) -> Bounds:
    values: dict[str, float | None] = {}
    for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        value = said.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise _refusal(f"{path}/{key}", "is not a number")
        if value is not None and not abs(value) < 1e15:
            raise _refusal(f"{path}/{key}", "is too large")
        values[key] = value
    least, above = values["minimum"], values["exclusiveMinimum"]
    most, below = values["maximum"], values["exclusiveMaximum"]
    is_above = above is not None and (least is None or above >= least)
    is_below = below is not None and (most is None or below <= most)
    return Bounds(above if is_above else least, below if is_below else most, is_above, is_below)


def _merged(one: Any, other: Any, path: str) -> dict[str, Any]:
    """A schema that asks for what both ask for."""
    if one is True or other is True:
        one, other = ({} if each is True else each for each in (one, other))
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        raise _refusal(path, "combines what are no schemas")
    both = dict(one)
    for key, value in other.items():
        if key not in both or both[key] == value or key not in ASSERTIONS:
            both[key] = value
        elif key == "properties":
            both[key] = _merged_properties(both[key], value, path)
        elif key in {"required", "allOf"} and isinstance(both[key], list):
            if not isinstance(value, list):
                raise _refusal(f"{path}/{key}", "is not a list")
            both[key] = [*both[key], *value]
        else:
            raise _refusal(path, f"asks for two different kinds of `{key}` at once")
    return both


def _merged_properties(one: Any, other: Any, path: str) -> dict[str, Any]:
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        raise _refusal(f"{path}/properties", "is not an object")
    shared = {name: {"allOf": [one[name], other[name]]} for name in one.keys() & other.keys()}
    return {**one, **other, **shared}


def _refusal(path: str, what: str) -> BadGeneration:
    where = f" at `#{path}`" if path else ""
    return BadGeneration(f"The JSON schema{where} {what}.", rule="llm.schema")
