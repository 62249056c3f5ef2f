"""Texts that a person typed, as the values of an action's schema: a page's form, a command line."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

FILE_FORMAT = "caravan-file"
TICKED = frozenset({"on", "true", "1", "yes"})


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


def given(
    texts: Mapping[str, str], schema: Mapping[str, Any], files: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """As `values_of`, for a command line: a switch that is not named is not given."""
    return _Form(texts, files or {}, has_switches=False).object(schema, "")


def typed(form: Mapping[str, str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The form's texts as they are, nested like the schema, to fill the form in again."""
    return _Form(form, {}, reads=False).object(schema, "")


def has_file(schema: Mapping[str, Any]) -> bool:
    """Whether a form asks for a file anywhere; one in the middle of a run may not."""
    level: list[Mapping[str, Any]] = [schema]
    while level:
        if any(each.get("format") == FILE_FORMAT for each in level):
            return True
        level = [
            inner
            for each in level
            for inner in (*each.get("properties", {}).values(), each.get("items"))
            if isinstance(inner, dict)
        ]
    return False


@dataclass(frozen=True)
class _Form:
    """What a browser sent.

    Args:
        reads: whether texts become the types of the schema.
        has_switches: whether a switch that is absent stands for false, as on a page.
    """

    texts: Mapping[str, str]
    files: Mapping[str, Any]
    reads: bool = True
    has_switches: bool = True

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
            known = self.has_switches or path in self.texts
            return self.texts.get(path) in TICKED if known else None
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
    return text.replace("\r\n", "\n")
