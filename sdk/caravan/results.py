"""What an action may say: text, Markdown, data, or the place for an advertisement."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from caravan.errors import InvalidAction


@dataclass(frozen=True)
class Markdown:
    """A text the store shows formatted. Raw HTML in it is not shown."""

    text: str


@dataclass(frozen=True)
class Json:
    """A value of JSON, shown as data and given as it is to programs."""

    value: Any


@dataclass(frozen=True)
class Slot:
    """The place for one advertisement; the store chooses, renders, labels and counts it."""

    name: str


Result: TypeAlias = str | Markdown | Json | Slot


def item(result: object) -> dict[str, Any]:
    """One payload of `output.write`. Raises: InvalidAction for anything that is not a Result."""
    match result:
        case str():
            return {"kind": "text", "text": result}
        case Markdown(text):
            return {"kind": "text", "text": text, "format": "markdown"}
        case Json(value):
            _refuse_what_json_cannot_say(value)
            return {"kind": "json", "value": value}
        case Slot(name):
            return {"kind": "slot", "name": name}
    raise InvalidAction(
        f"An action gave a {type(result).__name__}. Give str, Markdown, Json or a Slot."
    )


def _refuse_what_json_cannot_say(value: object) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidAction(f"Json was given what is not JSON: {error}.") from None


def items(result: object) -> Iterator[dict[str, Any]]:
    """Every item of what an action returned: nothing, one result, or an iterator of them."""
    if result is None:
        return
    if isinstance(result, Iterator):
        yield from map(item, result)
    else:
        yield item(result)
