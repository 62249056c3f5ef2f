"""One item of an app's output: is it what it says, and may it be kept and drawn? Pure."""

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from typing import Any

from marketplace.runs.keepable import mended
from marketplace.sandbox.ports import Refused

Item = dict[str, Any]
# How the first bytes of each picture begin that a page may show; SVG is not among them, for it
# can hold scripts and addresses.
PICTURES = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
MAX_COLUMNS = 40
MAX_ROWS = 5_000
MAX_SERIES = 12
MAX_POINTS = 5_000
MAX_LABEL_CHARS = 200


def checked(payload: Mapping[str, Any]) -> Item:
    """The item that a payload of `output.write` describes, without what does not belong to it.

    Raises: Refused, with a sentence the developer reads.
    """
    kind = payload.get("kind")
    check = _CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None:
        shown = str(kind)[:60]
        raise Refused("output.kind", f"“{shown}” is not a kind of output this store can show.")
    return check(payload)


def _text(payload: Mapping[str, Any]) -> Item:
    is_markdown = payload.get("format") == "markdown"
    text = mended(str(payload.get("text", "")))
    return {"kind": "text", "text": text, "is_markdown": is_markdown}


def _json(payload: Mapping[str, Any]) -> Item:
    return {"kind": "json", "value": mended(payload.get("value"))}


def _slot(payload: Mapping[str, Any]) -> Item:
    return {"kind": "slot", "name": str(payload.get("name"))}


def _table(payload: Mapping[str, Any]) -> Item:
    columns, rows = payload.get("columns"), payload.get("rows")
    if not isinstance(columns, list) or not 0 < len(columns) <= MAX_COLUMNS:
        raise Refused("output.table", f"A table has 1 to {MAX_COLUMNS} columns.")
    if not isinstance(rows, list) or len(rows) > MAX_ROWS:
        raise Refused("output.table", f"A table has at most {MAX_ROWS} rows.")
    if not all(isinstance(row, list) and len(row) == len(columns) for row in rows):
        raise Refused("output.table", "Every row of a table has one value for each column.")
    return {
        "kind": "table",
        "columns": [_column(each) for each in columns],
        "rows": [[_cell(value) for value in row] for row in rows],
    }


def _column(column: Any) -> dict[str, str]:
    if not isinstance(column, dict) or not isinstance(column.get("name"), str):
        raise Refused("output.table", 'A column is {"name": "…", "label": "…", "type": "…"}.')
    kind = column.get("type", "text")
    if kind not in ("text", "number", "boolean"):
        raise Refused("output.table", "The type of a column is text, number or boolean.")
    name = _label(column["name"])
    return {"name": name, "label": _label(column.get("label") or name), "type": kind}


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        raise Refused("output.table", "A cell holds a text, a number, true, false or null.")
    return mended(value)


def _image(payload: Mapping[str, Any]) -> Item:
    kind, alt = payload.get("media_type"), mended(str(payload.get("alt", ""))).strip()
    try:
        data = base64.b64decode(str(payload.get("base64", "")), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("output.image", "The bytes of a picture are sent as base64.") from None
    # A page believes what a picture says it is, so it must be that.
    if not isinstance(kind, str) or not data.startswith(PICTURES.get(kind, b"\0" * 16)):
        raise Refused("output.image", "A picture is a PNG, JPEG, GIF or WebP file, and says which.")
    if not alt:
        raise Refused("output.image", "A picture needs `alt`: what it shows, in words.")
    text = base64.b64encode(data).decode()
    return {"kind": "image", "media_type": kind, "base64": text, "alt": _label(alt)}


def _chart(payload: Mapping[str, Any]) -> Item:
    x, series = payload.get("x"), payload.get("series")
    if payload.get("type") not in ("line", "bar"):
        raise Refused("output.chart", "The type of a chart is line or bar.")
    if not isinstance(x, list) or not 0 < len(x) <= MAX_POINTS:
        raise Refused("output.chart", f"A chart has 1 to {MAX_POINTS} places on its axis.")
    if not all(isinstance(each, str) or _is_number(each) for each in x):
        raise Refused("output.chart", "A place on the axis is a text or a number.")
    if not isinstance(series, list) or not 0 < len(series) <= MAX_SERIES:
        raise Refused("output.chart", f"A chart has 1 to {MAX_SERIES} series.")
    return {
        "kind": "chart",
        "type": payload["type"],
        "title": _label(payload.get("title", "")),
        "x": [_label(each) if isinstance(each, str) else each for each in x],
        "series": [_series(each, len(x)) for each in series],
    }


def _series(series: Any, length: int) -> dict[str, Any]:
    values = series.get("values") if isinstance(series, dict) else None
    if not isinstance(values, list) or len(values) != length:
        raise Refused("output.chart", "A series has one value for each place on the axis.")
    if not all(each is None or _is_number(each) for each in values):
        raise Refused("output.chart", "A value of a series is a number, or null for a gap.")
    return {"name": _label(series.get("name", "")), "values": values}


def _is_number(value: Any) -> bool:
    # A browser's numbers are doubles; what lies outside them cannot be drawn.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < 1e300 and math.isfinite(value)


def _label(value: Any) -> str:
    text: str = mended(str(value))
    return text if len(text) <= MAX_LABEL_CHARS else f"{text[: MAX_LABEL_CHARS - 1]}…"


_CHECKS: dict[str, Callable[[Mapping[str, Any]], Item]] = {
    "text": _text,
    "json": _json,
    "slot": _slot,
    "table": _table,
    "image": _image,
    "chart": _chart,
}
