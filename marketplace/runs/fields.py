"""Between an action's JSON Schema and an HTML form: what a person typed, as typed values."""

from collections.abc import Mapping
from typing import Any

from caravan import forms
from caravan.forms import FILE_FORMAT
from jsonschema import Draft202012Validator, validators
from referencing import Registry

from marketplace.runs.keepable import mended
from marketplace.web.i18n import format_bytes
from marketplace.web.i18n import gettext as _

# A developer's regular expression could hold the store for hours: the app applies it itself,
# in the sandbox and on its own time.
Inputs = validators.extend(Draft202012Validator, {"pattern": lambda *_: None})
# Without one of its own, a validator fetches whatever address a `$ref` names.
NOWHERE: Registry[Any] = Registry()


def values_of(
    form: Mapping[str, str], schema: Mapping[str, Any], files: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The form's texts as the types the schema asks for, without what no database keeps.

    Args:
        files: what stands for the file of each file field that was filled.
    """
    values: dict[str, Any] = mended(forms.values_of(form, schema, files))
    return values


def told(value: Any, field: Mapping[str, Any]) -> str:
    """A value in words, for the page that shows what was asked; a row of a table is one line."""
    if field.get("writeOnly"):
        return "••••••"
    if field.get("format") == FILE_FORMAT:
        return f"{value['name']} ({format_bytes(value['size_bytes'])})"
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
    options = field.get("x-ui", {}).get("options", {})
    return str(options.get(value, value))


def label_of(field: Mapping[str, Any], name: str) -> str:
    """What the form calls a field."""
    label: str = field.get("x-ui", {}).get("label", name)
    return label


def problems(values: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, str]:
    """Field path → what is wrong with it, in a sentence; empty when all is well.

    The path of a field in a group is `place.city`, in the first row of a table `rows.0.city`.
    """
    found: dict[str, str] = {}
    for error in Inputs(dict(schema), registry=NOWHERE).iter_errors(dict(values)):
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
    if rule == "const":
        limit = [limit]
    if rule in {"enum", "const"}:
        return _("Choose one of: %(choices)s.", choices=", ".join(map(str, limit)))
    if rule == "type":
        return (
            _("This must be a number.")
            if limit in {"integer", "number"}
            else _("This is not of the right kind.")
        )
    return _("This does not fit what the app asks for.")
