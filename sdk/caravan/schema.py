"""From a function's annotations to JSON Schema 2020-12, and from values back to arguments."""

import copy
import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Annotated, Any, Literal, Union

from caravan.errors import InvalidAction
from caravan.field import Field
from caravan.files import File, Secret

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PLAIN = {str: "string", Secret: "string", int: "integer", float: "number", bool: "boolean"}
_LIMITS_OF = {
    str: {"minLength", "maxLength", "pattern"},
    Secret: {"minLength", "maxLength", "pattern"},
    int: {"minimum", "maximum"},
    float: {"minimum", "maximum"},
    bool: set[str](),
}
FILE_FORMAT = "caravan-file"
FILE_SCHEMA = {
    "type": "object",
    "format": FILE_FORMAT,
    "properties": {
        "file": {"type": "string"},
        "name": {"type": "string"},
        "media_type": {"type": "string"},
        "size_bytes": {"type": "integer", "minimum": 0},
    },
    "required": ["file", "name", "media_type", "size_bytes"],
    "additionalProperties": False,
}
MISSING = object()


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One input of an action."""

    name: str
    annotation: Any
    default: Any
    schema: dict[str, Any]

    @property
    def is_required(self) -> bool:
        """Whether the form must be filled in here."""
        return self.default is MISSING


def parameter(name: str, annotation: Any, default: Any = MISSING) -> Parameter:
    """Describe one input. Raises: InvalidAction for a type that cannot be in a form."""
    plain, field = _unwrap(annotation)
    schema = _typed(name, plain, field)
    if field.description:
        schema["description"] = field.description
    if field.examples:
        schema["examples"] = list(field.examples)
    schema["x-ui"] = _ui(name, schema, field)
    if default is not MISSING and default is not None:
        schema["default"] = _as_json(default)
        if problem := check(schema["default"], schema, name).get(name):
            raise InvalidAction(f"The default of “{name}” does not fit its own rules. {problem}")
    return Parameter(name, plain, default, schema)


def object_schema(parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """The schema of an action's whole input."""
    return {
        "type": "object",
        "properties": {name: each.schema for name, each in parameters.items()},
        "required": [name for name, each in parameters.items() if each.is_required],
        "additionalProperties": False,
    }


def _unwrap(annotation: Any) -> tuple[Any, Field]:
    """The bare type and its Field; `T | None` counts as T, which may be left out."""
    field = Field()
    if typing.get_origin(annotation) is Annotated:
        annotation, *extras = typing.get_args(annotation)
        field = next((extra for extra in extras if isinstance(extra, Field)), field)
    if typing.get_origin(annotation) in {Union, types.UnionType}:
        members = [each for each in typing.get_args(annotation) if each is not types.NoneType]
        if len(members) == 1:
            inner, inner_field = _unwrap(members[0])
            return inner, inner_field if inner_field != Field() else field
    return annotation, field


def _typed(name: str, plain: Any, field: Field) -> dict[str, Any]:
    if plain in PLAIN:
        secrecy = {"writeOnly": True} if plain is Secret else {}
        return {"type": PLAIN[plain], **secrecy, **_limits(name, plain, field)}
    if plain is File:
        return copy.deepcopy(FILE_SCHEMA)
    if typing.get_origin(plain) is list and dataclasses.is_dataclass(typing.get_args(plain)[0]):
        return _rows(name, typing.get_args(plain)[0], field)
    if typing.get_origin(plain) is Literal:
        return _choices(name, list(typing.get_args(plain)))
    if isinstance(plain, type) and issubclass(plain, Enum):
        return _choices(name, [member.value for member in plain])
    if isinstance(plain, type) and dataclasses.is_dataclass(plain):
        return object_schema(_fields(plain))
    raise InvalidAction(
        f"“{name}” has a type that cannot be in a form: {plain!r}. "
        "Use str, int, float, bool, Literal, Enum, File, Secret, a dataclass of these, or a list "
        "of such a dataclass."
    )


def _rows(name: str, row: Any, field: Field) -> dict[str, Any]:
    inner = parameter(name, row).schema
    if wrong := [key for key, each in inner["properties"].items() if "properties" in each]:
        raise InvalidAction(f"“{wrong[0]}” cannot be a cell of the table “{name}”.")
    given = {"minItems": field.min_items, "maxItems": field.max_items}
    limits = {key: value for key, value in given.items() if value is not None}
    return {"type": "array", "items": inner, **limits}


def _limits(name: str, plain: type, field: Field) -> dict[str, Any]:
    given = {
        "minLength": field.min_length,
        "maxLength": field.max_length,
        "pattern": field.pattern,
        "minimum": field.ge,
        "maximum": field.le,
    }
    limits = {key: value for key, value in given.items() if value is not None}
    if wrong := sorted(limits.keys() - _LIMITS_OF[plain]):
        raise InvalidAction(f"“{name}” is a {plain.__name__}, which cannot have {wrong[0]}.")
    try:
        re.compile(field.pattern or "")
    except re.error as error:
        raise InvalidAction(f"The pattern of “{name}” cannot be read: {error}.") from None
    return limits


def _choices(name: str, values: list[Any]) -> dict[str, Any]:
    if {type(value) for value in values} == {str}:
        return {"type": "string", "enum": values}
    if {type(value) for value in values} == {int}:
        return {"type": "integer", "enum": values}
    raise InvalidAction(f"The choices of “{name}” must be all texts or all whole numbers.")


def _fields(plain: Any) -> dict[str, Parameter]:
    hints = typing.get_type_hints(plain, include_extras=True)
    found = {}
    for each in dataclasses.fields(plain):
        default = MISSING if each.default is dataclasses.MISSING else each.default
        if each.default_factory is not dataclasses.MISSING:
            default = each.default_factory()
        found[each.name] = parameter(each.name, hints[each.name], default)
    return found


def _ui(name: str, schema: Mapping[str, Any], field: Field) -> dict[str, Any]:
    match schema:
        case {"enum": _}:
            widget = "select"
        case {"format": "caravan-file"}:
            widget = "file"
        case {"type": "object"}:
            widget = "group"
        case {"type": "array"}:
            widget = "table"
        case {"writeOnly": True}:
            widget = "password"
        case {"type": "boolean"}:
            widget = "switch"
        case {"type": "string"}:
            widget = "textarea" if field.multiline else "text"
        case {"minimum": _, "maximum": _}:
            widget = "slider"
        case _:
            widget = "number"
    ui: dict[str, Any] = {
        "widget": widget,
        "label": field.label or name.replace("_", " ").capitalize(),
    }
    hints = {"placeholder": field.placeholder, "step": field.step, "max_bytes": field.max_bytes}
    ui |= {key: value for key, value in hints.items() if value is not None}
    return ui | ({"accept": list(field.accept)} if field.accept else {})


def _as_json(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        every = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        return {name: _as_json(each) for name, each in every.items() if each is not None}
    return [_as_json(each) for each in value] if isinstance(value, list) else value


def check(value: Any, schema: Mapping[str, Any], name: str = "") -> dict[str, str]:
    """What is wrong with a value, by field path (`address.city`); empty when nothing is.

    It understands the part of JSON Schema that this module writes, and leaves what else the
    schema of an app in another language says to the store.
    """
    label = _label(schema, name)
    wanted = schema.get("type")
    if isinstance(wanted, list):
        if value is None and "null" in wanted:
            return {}
        wanted = next((each for each in wanted if each != "null"), None)
    if wanted not in _KINDS:
        return {}
    kind, fits = _KINDS[wanted]
    if not fits(value):
        return {name: f"{label} must be {kind}."}
    if wanted == "object":
        return _check_object(value, schema, name)
    if wanted == "array":
        rows = schema.get("items", {})
        within = [check(each, rows, f"{name}.{at}") for at, each in enumerate(value)]
        if found := {path: problem for each in within for path, problem in each.items()}:
            return found
    problem = _first_problem(value, schema)
    return {name: f"{label} {problem}"} if problem else {}


def _label(schema: Mapping[str, Any], name: str) -> str:
    label: str = schema.get("x-ui", {}).get("label", name)
    return label


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "string": ("a text", lambda value: isinstance(value, str)),
    "boolean": ("yes or no (true or false)", lambda value: isinstance(value, bool)),
    "number": ("a number", _is_number),
    "integer": ("a whole number", lambda value: _is_number(value) and value == int(value)),
    "object": ("an object", lambda value: isinstance(value, dict)),
    "array": ("a list", lambda value: isinstance(value, list)),
}


def _check_object(value: Any, schema: Mapping[str, Any], name: str) -> dict[str, str]:
    problems: dict[str, str] = {}
    prefix = f"{name}." if name else ""
    properties = schema.get("properties", {})
    for key in value.keys() - properties.keys():
        known = ", ".join(properties) or "none"
        problems[f"{prefix}{key}"] = f"There is no input “{key}”; there are: {known}."
    for key, inner in properties.items():
        if key in value:
            problems |= check(value[key], inner, prefix + key)
        elif key in schema.get("required", ()):
            problems[prefix + key] = f"{_label(inner, key)} is needed."
    return problems


def _first_problem(value: Any, schema: Mapping[str, Any]) -> str | None:
    for key, (is_broken, message) in _RULES.items():
        if key in schema and is_broken(value, schema[key]):
            limit = schema[key]
            shown = ", ".join(map(str, limit)) if isinstance(limit, list) else limit
            return message.format(shown)
    return None


_RULES: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "enum": (lambda value, choices: value not in choices, "must be one of: {}."),
    "minLength": (lambda value, limit: len(value) < limit, "needs at least {} characters."),
    "maxLength": (lambda value, limit: len(value) > limit, "may have at most {} characters."),
    "pattern": (lambda value, pattern: not re.search(pattern, value), "must match {}."),
    "minItems": (lambda value, limit: len(value) < limit, "needs at least {} rows."),
    "maxItems": (lambda value, limit: len(value) > limit, "may have at most {} rows."),
    "minimum": (lambda value, limit: value < limit, "must be {} or more."),
    "maximum": (lambda value, limit: value > limit, "must be {} or less."),
}


def argument(value: Any, annotation: Any) -> Any:
    """A checked JSON value as what the function's annotation promises."""
    plain, _ = _unwrap(annotation)
    if plain in {int, float, Secret}:
        return plain(value)
    if plain is File:
        return File(value["file"], value["name"], value["media_type"], value["size_bytes"])
    if typing.get_origin(plain) is list:
        return [argument(each, typing.get_args(plain)[0]) for each in value]
    if isinstance(plain, type) and issubclass(plain, Enum):
        return plain(value)
    if isinstance(plain, type) and dataclasses.is_dataclass(plain):
        hints = typing.get_type_hints(plain, include_extras=True)
        return plain(**{name: argument(each, hints[name]) for name, each in value.items()})
    return value
