"""Writes `docs/manifest.md` from the schema: `python -m caravan.reference > docs/manifest.md`."""

import json
import sys
from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from caravan.manifest import Case, Listing, Manifest

INTRODUCTION = """# caravan.toml

Every app has this file in its folder. The table is made from the schema that the command line and
the store use, so it is never behind. A key that is not here is refused, with its line and the
likely spelling. `caravan check` says what is missing.
"""
AFTERWORD = """## Prices

A price is a decimal text, never a number: `"4.99"`. It is kept as whole millionths of the
currency's unit, so nothing is rounded. At most three decimals.

## listing/*language*.toml

The app's texts in one more language, in a file named after it, such as `listing/ar.toml`:
{listing}.

## evals/*name*.toml

Samples, each a `[[case]]`: something people can try, and what the answer must hold. `caravan eval`
tries them on a store's model, with the files, answers and pages of the web that stand here.

{case}"""
HEAD = "| key | kind | | meaning |\n| --- | --- | --- | --- |\n"
NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def manifest_markdown() -> str:
    """The whole page."""
    parts = [INTRODUCTION, *_tables(Manifest)]
    keys = {"listing": _keys(Listing), "case": _table(Case)}
    return "\n".join([*parts, AFTERWORD.format(**keys)])


def _tables(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        is_list = get_origin(field.annotation) is list
        section: Any = get_args(field.annotation)[0] if is_list else field.annotation
        title = f"[[{name}]]" if is_list else f"[{name}]"
        doc = str(section.__doc__)
        again = " Write it once for each." if is_list else ""
        yield f"## {title}\n\n{doc}{again}\n\n{_table(section)}"


def _table(section: type[BaseModel]) -> str:
    return HEAD + "".join(_row(key, each) for key, each in section.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    need = "needed" if field.is_required() else _default(field.default)
    return (
        f"| `{field.alias or name}` | {_kind(field.annotation)} | {need} | {field.description} |\n"
    )


def _default(value: Any) -> str:
    if value is None or value == "":
        return ""
    return f"else `{json.dumps(value)}`"


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " · ".join(f"`{json.dumps(choice)}`" for choice in get_args(annotation))
    if get_origin(annotation) is list:
        return f"list of {_kind(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return "table"
    if get_origin(annotation) in {Union, UnionType}:
        members = [each for each in get_args(annotation) if each is not type(None)]
        return " or ".join(_kind(each) for each in members)
    return NAMES.get(annotation) or _kind(get_args(annotation)[0])


def _keys(model: type[BaseModel]) -> str:
    return ", ".join(f"`{name}`" for name in model.model_fields)


if __name__ == "__main__":
    sys.stdout.write(manifest_markdown())
