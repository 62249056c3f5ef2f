"""What an action may say: text, data, tables, charts, pictures, a question, an advertisement."""

import base64
import dataclasses
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from caravan.errors import HostError, InvalidAction

Answer = TypeVar("Answer")
ColumnType = Literal["text", "number", "boolean"]
ChartType = Literal["line", "bar"]
# How the first bytes of each picture a store shows begin.
PICTURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
# One call to the store carries 1 MB of JSON; base64 makes four bytes of three.
MAX_IMAGE_BYTES = 700_000


@dataclass(frozen=True)
class Markdown:
    """A text the store shows formatted. Raw HTML in it is not shown."""

    text: str


@dataclass(frozen=True)
class Json:
    """A value of JSON, shown as data and given as it is to programs."""

    value: Any


@dataclass(frozen=True)
class Column:
    """One column of a table: its key in each row, its heading, and how its values are set."""

    name: str
    label: str = ""
    type: ColumnType = "text"


@dataclass(frozen=True)
class Table:
    """Rows under headings.

    Args:
        rows: dataclasses, mappings, or sequences with a value for each column.
        columns: names or `Column`s, in order; left out, the keys of the rows are taken.
    """

    rows: Sequence[Any]
    columns: Sequence[str | Column] = ()


@dataclass(frozen=True)
class Image:
    """A picture: the bytes of a PNG, JPEG, GIF or WebP file, and what it shows, in words."""

    data: bytes
    alt: str


@dataclass(frozen=True)
class Chart:
    """Series of numbers over a shared axis; the store draws it and puts a table behind it.

    Args:
        x: numbers, or texts such as months.
        series: the values of each line or set of bars by its name; None leaves a gap.
    """

    x: Sequence[str | int | float]
    series: Mapping[str, Sequence[float | int | None]]
    title: str = ""
    type: ChartType = "line"


@dataclass(frozen=True)
class Form(Generic[Answer]):
    """A question in the middle of a run: `answer = yield Form(Guess, "Your turn")`.

    Args:
        answer: a dataclass; its fields become the form, and an object of it comes back.
    """

    answer: type[Answer]
    title: str = ""


@dataclass(frozen=True)
class Slot:
    """The place for one advertisement; the store chooses, renders, labels and counts it."""

    name: str


Result: TypeAlias = (
    str
    | Markdown
    | Json
    | Table
    | Image
    | Chart
    | Slot
    | Mapping[str, Any]
    | Sequence[Any]
    | float
    | int
    | bool
)


def item(result: object) -> dict[str, Any]:
    """One payload of `output.write`. Raises: InvalidAction for anything that is not a Result."""
    match result:
        case str():
            return {"kind": "text", "text": result}
        case Markdown(text):
            return {"kind": "text", "text": text, "format": "markdown"}
        case Json(value):
            return {"kind": "json", "value": _plain(value)}
        case Table():
            return _table(result)
        case Image():
            return _image(result)
        case Chart():
            return _chart(result)
        case Slot(name):
            return {"kind": "slot", "name": name}
        case bool() | int() | float() | Mapping() | list() | tuple():
            return {"kind": "json", "value": _plain(result)}
    if _is_dataclass(result):
        return {"kind": "json", "value": _plain(result)}
    raise InvalidAction(
        f"An action gave a {type(result).__name__}. Give str, Markdown, Table, Image, Chart, "
        "Form, a Slot, or anything that is JSON."
    )


def items(result: object, ask: Callable[[Form[Any]], Any]) -> Iterator[dict[str, Any]]:
    """Every item of what an action returned: nothing, one result, or an iterator of them.

    Args:
        ask: puts a yielded form to the person; what it returns is sent to the generator.
    """
    if result is None:
        return
    if not isinstance(result, Iterator):
        yield item(result)
        return
    step: Callable[[], object] = partial(next, result)
    while True:
        try:
            each = step()
        except StopIteration:
            return
        if isinstance(each, Form):
            step = _asked(result, each, ask)
        else:
            yield item(each)
            step = partial(next, result)


def _asked(
    result: Iterator[object], form: Form[Any], ask: Callable[[Form[Any]], Any]
) -> Callable[[], object]:
    """How the action goes on: with the answer, or with the refusal, which it may catch."""
    if not isinstance(result, Generator):
        raise InvalidAction("Only a function with `yield` can be answered a Form.")
    try:
        return partial(result.send, ask(form))
    except HostError as refused:
        return partial(result.throw, refused)


def _is_dataclass(value: object) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _plain(value: object) -> Any:
    """The value as JSON has it. Raises: InvalidAction where JSON cannot say it."""
    try:
        text = json.dumps(value, allow_nan=False, default=_as_json)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidAction(f"The app gave what is not JSON: {error}.") from None
    return json.loads(text)


def _as_json(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    if _is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    raise TypeError(f"a {type(value).__name__}")


def _table(table: Table) -> dict[str, Any]:
    rows = [_plain(row) for row in table.rows]
    columns = [
        each if isinstance(each, Column) else Column(each) for each in table.columns or _keys(rows)
    ]
    cells = [
        [row.get(column.name) for column in columns] if isinstance(row, dict) else row
        for row in rows
    ]
    for row in cells:
        if not isinstance(row, list) or len(row) != len(columns):
            raise InvalidAction(
                f"A row of the table has not one value for each of its {len(columns)} columns."
            )
    return {
        "kind": "table",
        "columns": [
            _column(column, [row[place] for row in cells]) for place, column in enumerate(columns)
        ],
        "rows": cells,
    }


def _keys(rows: Iterable[Any]) -> list[str]:
    keys: dict[str, None] = {}
    for row in rows:
        if not isinstance(row, dict):
            raise InvalidAction("A table of plain rows needs `columns`, the names of its values.")
        keys |= dict.fromkeys(row)
    return list(keys)


def _column(column: Column, values: Iterable[Any]) -> dict[str, str]:
    label = column.label or column.name.replace("_", " ").capitalize()
    kinds = {type(value) for value in values} - {type(None)}
    kind: str = column.type
    if column.type == "text" and kinds and kinds <= {int, float}:
        kind = "number"
    elif column.type == "text" and kinds == {bool}:
        kind = "boolean"
    return {"name": column.name, "label": label, "type": kind}


def _image(image: Image) -> dict[str, Any]:
    kind = next((kind for head, kind in PICTURES.items() if image.data.startswith(head)), None)
    if kind is None:
        raise InvalidAction("A picture must be the bytes of a PNG, JPEG, GIF or WebP file.")
    if len(image.data) > MAX_IMAGE_BYTES:
        raise InvalidAction(
            f"A picture of {len(image.data)} bytes is too large; {MAX_IMAGE_BYTES} are the most."
        )
    if not image.alt.strip():
        raise InvalidAction("A picture needs `alt`: what it shows, for those who cannot see it.")
    text = base64.b64encode(image.data).decode()
    return {"kind": "image", "media_type": kind, "base64": text, "alt": image.alt}


def _chart(chart: Chart) -> dict[str, Any]:
    x = _plain(list(chart.x))
    series = []
    for name, given in chart.series.items():
        values = _plain(list(given))
        if len(values) != len(x):
            raise InvalidAction(
                f"“{name}” has {len(values)} values for {len(x)} places on the axis."
            )
        if wrong := [each for each in values if isinstance(each, str | bool | list | dict)]:
            raise InvalidAction(f"“{name}” holds “{wrong[0]}”, which is not a number.")
        series.append({"name": name, "values": values})
    if not x or not series:
        raise InvalidAction("A chart needs at least one place on its axis and one series.")
    return {"kind": "chart", "type": chart.type, "title": chart.title, "x": x, "series": series}
