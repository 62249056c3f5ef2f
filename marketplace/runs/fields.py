"""Between an action's JSON Schema and an HTML form: what a person typed, as typed values."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from jsonschema import Draft202012Validator

from marketplace.runs.keepable import mended
from marketplace.web.i18n import gettext as _


def values_of(form: Mapping[str, str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The form's texts as the types the schema asks for; what cannot be read stays text."""
    values: dict[str, Any] = {}
    for name, field in schema["properties"].items():
        kind = _kind(field)
        if kind == "boolean":
            values[name] = form.get(name) in {"on", "true", "1"}
            continue
        text = form.get(name)
        if not text:
            # An empty field is a value that was not given; the schema says whether it must be.
            continue
        values[name] = _read(text, kind)
    return values


def _kind(field: Mapping[str, Any]) -> str:
    kind = field.get("type", "string")
    return str(next(k for k in kind if k != "null") if isinstance(kind, list) else kind)


def _read(text: str, kind: str) -> Any:
    try:
        if kind == "integer":
            return int(text)
        if kind == "number":
            number = float(text)
            # JSON has neither infinity nor "not a number".
            return number if isfinite(number) else text
    except ValueError:
        return text
    # A browser sends line breaks as CR LF; apps see LF, as in files.
    return mended(text.replace("\r\n", "\n"))


def problems(values: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, str]:
    """Field name → what is wrong with it, in a sentence; empty when all is well."""
    found: dict[str, str] = {}
    for error in Draft202012Validator(dict(schema)).iter_errors(dict(values)):
        if error.validator == "required":
            for name in error.validator_value:
                if name not in values:
                    found[name] = _("Please fill this in.")
            continue
        name = str(error.absolute_path[0]) if error.absolute_path else ""
        found.setdefault(name, _sentence(error.validator, error.validator_value, error.instance))
    return found


def _sentence(rule: str, limit: Any, value: Any) -> str:
    if rule == "minLength":
        return (
            _("Please fill this in.")
            if not value
            else _("Write at least %(n)s characters.", n=limit)
        )
    if rule == "maxLength":
        return _("This is %(have)s characters long; %(n)s is the most.", have=len(value), n=limit)
    if rule in {"minimum", "exclusiveMinimum"}:
        return _("This must be at least %(n)s.", n=limit)
    if rule in {"maximum", "exclusiveMaximum"}:
        return _("This must be at most %(n)s.", n=limit)
    if rule in {"enum", "const"}:
        return _("Choose one of: %(choices)s.", choices=", ".join(map(str, limit)))
    if rule == "type":
        return (
            _("This must be a number.")
            if limit in {"integer", "number"}
            else _("This is not of the right kind.")
        )
    return _("This does not fit what the app asks for.")
