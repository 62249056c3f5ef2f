"""From the manifest's `[[setting]]` to the form people fill in, and what an app has until then."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from caravan.schema import DIALECT

SENDABLE = re.compile(r"[\x21-\x7e]+")
LONGEST = 4_000
_TYPES = {"number": "number", "integer": "integer", "boolean": "boolean"}
_WIDGETS = {
    "number": "number",
    "integer": "number",
    "boolean": "switch",
    "choice": "select",
    "secret": "password",
}

Setting = Mapping[str, Any]


def schema_of(settings: Iterable[Setting]) -> dict[str, Any]:
    """The JSON Schema of a settings form; it asks for nothing, `missing` says what is needed."""
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": {each["name"]: _field(each) for each in settings},
        "required": [],
        "additionalProperties": False,
    }


def placeholder(name: str) -> str:
    """What an app sees of a secret; only the way out to its host puts the secret there."""
    return f"{{{{secret:{name}}}}}"


def is_sendable(secret: str) -> bool:
    """Whether a secret can stand in a header: visible ASCII, so that no line is added with it."""
    return SENDABLE.fullmatch(secret) is not None


def known_to_app(
    settings: Iterable[Setting], given: Mapping[str, Any], secrets: Iterable[str]
) -> dict[str, Any]:
    """What `ctx.settings` has: what was given, else the default; of a secret a placeholder."""
    has = set(secrets)
    found: dict[str, Any] = {}
    for each in settings:
        name = each["name"]
        if each["type"] == "secret":
            found |= {name: placeholder(name)} if name in has else {}
        elif (value := given.get(name, each.get("default"))) is not None:
            found[name] = value
    return found


def missing(settings: Iterable[Setting], known: Mapping[str, Any]) -> list[Setting]:
    """The settings an app cannot run without and that `known_to_app` does not have."""
    return [each for each in settings if each.get("required") and each["name"] not in known]


def _field(setting: Setting) -> dict[str, Any]:
    kind = setting["type"]
    field: dict[str, Any] = {"type": _TYPES.get(kind, "string")}
    if kind == "choice":
        field["enum"] = list(setting["choices"])
    elif kind == "secret":
        field |= {"writeOnly": True, "maxLength": LONGEST}
    elif kind == "text":
        field["maxLength"] = LONGEST
    if setting.get("description"):
        field["description"] = setting["description"]
    if setting.get("default") is not None:
        field["default"] = setting["default"]
    field["x-ui"] = {"widget": _WIDGETS.get(kind, "text"), "label": setting["label"]}
    return field
