"""Between an action's JSON Schema and an HTML form: what a person typed, as typed values."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from jsonschema import Draft202012Validator

from marketplace.runs.keepable import mended
from marketplace.web.i18n import format_number
from marketplace.web.i18n import gettext as _

FILE_FORMAT = "caravan-file"
TICKED = frozenset({"on", "true", "1"})


def values_of(
    form: Mapping[str, str], schema: Mapping[str, Any], files: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The form's texts as the types the schema asks for; what cannot be read stays text.

    A field of a group is named `place.city`, one of a table `rows.0.city`. Groups and rows that
    were left empty are left out.

    Args:
        files: what stands for the file of each file field that was filled.
    """
    return _Form(form, files or {}).object(schema, "")


def typed(form: Mapping[str, str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The form's texts as they are, nested like the schema, to fill the form in again."""
    return _Form(form, {}, reads=False).object(schema, "")


@dataclass(frozen=True)
class _Form:
    """What a browser sent.

    Args:
        reads: whether texts become the types of the schema.
    """

    texts: Mapping[str, str]
    files: Mapping[str, Any]
    reads: bool = True

    def object(self, schema: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        """The values of an object whose fields' names begin with `prefix`."""
        values: dict[str, Any] = {}
        for name, field in schema.get("properties", {}).items():
            value = self._value(field, f"{prefix}{name}")
            is_needed = name in schema.get("required", ()) or isinstance(value, str | bool)
            if value is not None and (is_needed or not _is_left_empty(value)):
                values[name] = value
        return values

    def _value(self, field: Mapping[str, Any], path: str) -> Any:
        kind = _kind(field)
        if field.get("format") == FILE_FORMAT:
            return self.files.get(path)
        if kind == "object":
            return self.object(field, f"{path}.")
        if kind == "array":
            found = [self.object(field["items"], f"{path}.{n}.") for n in self._rows(path)]
            return [row for row in found if not _is_left_empty(row)]
        if kind == "boolean":
            return self.texts.get(path) in TICKED
        # An empty field is a value that was not given; the schema says whether it must be.
        text = self.texts.get(path)
        if not self.reads:
            return text
        return _read(text, kind) if text else None

    def _rows(self, path: str) -> list[int]:
        """The numbers of a table's rows, in the order of the page."""
        tails = (name[len(path) + 1 :] for name in self.texts if name.startswith(f"{path}."))
        numbers = {tail.partition(".")[0] for tail in tails}
        return sorted(int(each) for each in numbers if each.isascii() and each.isdigit())


def _is_left_empty(value: Any) -> bool:
    """Whether a group or a table holds nothing but boxes that were not ticked."""
    if isinstance(value, dict):
        return all(_is_left_empty(each) for each in value.values())
    return value is False or value in ("", [])


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


def told(value: Any, field: Mapping[str, Any]) -> str:
    """A value in words, for the page that shows what was asked; a row of a table is one line."""
    if field.get("writeOnly"):
        return "••••••"
    if field.get("format") == FILE_FORMAT:
        return f"{value['name']} ({format_number(round(value['size_bytes'] / 1000, 1))} KB)"
    match value:
        case bool():
            return _("yes") if value else _("no")
        case dict():
            inner = field.get("properties", {})
            return " · ".join(
                f"{label_of(inner.get(name, {}), name)}: {told(each, inner.get(name, {}))}"
                for name, each in value.items()
            )
        case list():
            return "\n".join(told(each, field.get("items", {})) for each in value)
    return str(value)


def label_of(field: Mapping[str, Any], name: str) -> str:
    """What the form calls a field."""
    label: str = field.get("x-ui", {}).get("label", name)
    return label


def problems(values: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, str]:
    """Field path → what is wrong with it, in a sentence; empty when all is well.

    The path of a field in a group is `place.city`, in the first row of a table `rows.0.city`.
    """
    found: dict[str, str] = {}
    for error in Draft202012Validator(dict(schema)).iter_errors(dict(values)):
        path = ".".join(map(str, error.absolute_path))
        if error.validator == "required":
            missing = [name for name in error.validator_value if name not in error.instance]
            found |= {f"{path}.{name}".strip("."): _("Please fill this in.") for name in missing}
            continue
        found.setdefault(path, _sentence(error.validator, error.validator_value, error.instance))
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
    if rule == "minItems":
        return _("Fill in at least %(n)s rows.", n=limit)
    if rule == "maxItems":
        return _("Fill in at most %(n)s rows.", n=limit)
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
