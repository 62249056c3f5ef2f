"""Reads Caravan's TOML files; every problem comes with its rule, its line and what to do."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from caravan.findings import BundleRefused, Finding
from caravan.manifest import Listing, Manifest, Samples

MANIFEST_FILE = "caravan.toml"
DEEPEST = 20
Model = TypeVar("Model", bound=BaseModel)
Path = tuple[int | str, ...]

HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]")
ASSIGNMENT = re.compile(r"""^\s*([A-Za-z0-9_-]+|"[^"]+")(?:\s*\.[^=]*)?\s*=""")
AT_LINE = re.compile(r" \(at line (\d+), column \d+\)| \(at end of document\)")


def read_manifest(text: str | bytes) -> Manifest:
    """The manifest of a `caravan.toml`. Raises: BundleRefused with all its problems."""
    return _read(Manifest, text, MANIFEST_FILE)


def read_listing(text: str | bytes, file: str) -> Listing:
    """The texts of one `listing/<locale>.toml`. Raises: BundleRefused."""
    return _read(Listing, text, file)


def read_samples(text: str | bytes, file: str) -> Samples:
    """The samples of one `evals/<name>.toml`. Raises: BundleRefused."""
    return _read(Samples, text, file)


def _read(model: type[Model], text: str | bytes, file: str) -> Model:
    try:
        plain = text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BundleRefused(
            f"{_family(file)}.encoding",
            f"{file} is not UTF-8.",
            file,
            line,
            "Save the file as UTF-8.",
        ) from None
    try:
        table = tomllib.loads(plain)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _unreadable(str(error), plain, file) from None
    if _depth(table) > DEEPEST:
        raise BundleRefused(f"{_family(file)}.syntax", f"{file} is nested too deeply.", file, 1)
    try:
        return model.model_validate(table)
    except ValidationError as error:
        lines = lines_of(plain)
        findings = [_finding(each, model, lines, file) for each in error.errors()]
        raise BundleRefused.of(sorted(findings, key=lambda each: each.line or 0)) from None


def _family(file: str) -> str:
    """The first word of a rule's name: manifest, listing or evals."""
    return "manifest" if file == MANIFEST_FILE else file.split("/", maxsplit=1)[0]


def _depth(value: Any) -> int:
    """How deeply tables and lists are nested, walked level by level."""
    depth, level = 0, [value]
    while level and depth <= DEEPEST:
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        depth += 1
    return depth


def _unreadable(message: str, text: str, file: str) -> BundleRefused:
    at = AT_LINE.search(message)
    line = int(at[1]) if at and at[1] else text.count("\n") + 1
    reason = AT_LINE.sub("", message)
    return BundleRefused(
        f"{_family(file)}.syntax",
        f"{file} is not readable TOML: {reason}.",
        file,
        line,
        "Look at this line and the one before it for a missing quote, bracket or “=”.",
    )


def lines_of(text: str) -> Mapping[Path, int]:
    """Where each table and key begins, from 1: ("permission", 1, "reason") → 12."""
    found: dict[Path, int] = {(): 1}
    counts: dict[str, int] = {}
    table: Path = ()
    quote: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if quote is None:
            if header := HEADER.match(line):
                keys = tuple(part.strip().strip("\"'") for part in header[2].split("."))
                table = keys
                if header[1] == "[[":
                    counts[header[2]] = counts.get(header[2], -1) + 1
                    table = (*keys, counts[header[2]])
                    found.setdefault(keys, number)
                found.setdefault(table, number)
            elif key := ASSIGNMENT.match(line):
                found.setdefault((*table, key[1].strip('"')), number)
        quote = _quote_after(line, quote)
    return found


def _quote_after(line: str, quote: str | None) -> str | None:
    """Which triple quote is open at the end of a line, given the one at its beginning."""
    for mark in re.findall(r'"""|\'\'\'', line):
        if quote is None:
            quote = mark
        elif quote == mark:
            quote = None
    return quote


def _line(path: Path, lines: Mapping[Path, int]) -> int:
    while path not in lines:
        path = path[:-1]
    return lines[path]


def _finding(
    error: ErrorDetails, model: type[BaseModel], lines: Mapping[Path, int], file: str
) -> Finding:
    path: Path = error["loc"]
    section = _section(model, path)
    tables = [part for part in path if isinstance(part, str)][:-1]
    where = f" in [{'.'.join(tables)}]" if tables else ""
    name = next((part for part in reversed(path) if isinstance(part, str)), "file")
    line = _line(path, lines)
    family = _family(file)
    match error["type"]:
        case "extra_forbidden":
            known = _keys(section)
            close = difflib.get_close_matches(name, known, n=1)
            fix = f"Did you mean “{close[0]}”?" if close else f"Use one of: {', '.join(known)}."
            message = f"“{name}” is not a key{where}."
            return Finding(f"{family}.unknown-key", "error", message, file, line, fix)
        case "missing":
            message = f"“{name}” is missing{where}."
            return Finding(f"{family}.missing", "error", message, file, line, _hint(section, name))
        case "value_error":
            message = str(error["ctx"]["error"])
            return Finding(f"{family}.value", "error", message, file, line, _hint(section, name))
    rule = f"{family}.type" if error["type"].endswith("_type") else f"{family}.value"
    message = f"“{name}”{where} is not right: {_reason(error)}"
    return Finding(rule, "error", message, file, line, _hint(section, name))


_SENTENCES = {
    "string_type": "it must be a text in quotes.",
    "int_type": "it must be a whole number, without quotes.",
    "bool_type": "it must be true or false, without quotes.",
    "list_type": "it must be a list in [brackets].",
    "model_type": "it must be a [table].",
    "dict_type": "it must be a table.",
    "string_too_long": "it has more than {max_length} characters.",
    "string_too_short": "it has fewer than {min_length} characters.",
    "too_short": "it needs at least {min_length}.",
    "too_long": "it may have at most {max_length}.",
    "literal_error": "it must be {expected}.",
    "greater_than_equal": "it must be {ge} or more.",
    "less_than_equal": "it must be {le} or less.",
    "string_pattern_mismatch": "it is not written as it must be.",
}


def _reason(error: ErrorDetails) -> str:
    sentence = _SENTENCES.get(error["type"], f"{error['msg']}.").format(**error.get("ctx", {}))
    given = error["input"]
    is_short = isinstance(given, str | int | float) and len(str(given)) <= 60
    return f"“{given}” {sentence.removeprefix('it ')}" if is_short else sentence


def _section(model: type[BaseModel], path: Path) -> type[BaseModel]:
    """The innermost model on the way to a problem."""
    for part in path[:-1]:
        if isinstance(part, str):
            for name, field in model.model_fields.items():
                inner = getattr(field.annotation, "__args__", (field.annotation,))[0]
                if (
                    part == (field.alias or name)
                    and isinstance(inner, type)
                    and issubclass(inner, BaseModel)
                ):
                    model = inner
                    break
    return model


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _hint(section: type[BaseModel], name: str) -> str | None:
    for key, field in section.model_fields.items():
        if name == (field.alias or key) and field.description:
            return f"{name}: {field.description}"
    return None
