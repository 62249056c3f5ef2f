"""Secret inputs of an action: found by its schema, and taken out of what is kept of a run."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MARK = "••••••"


def found(value: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """The path (`place.key`, `rows.0.key`) and the text of each secret in an input."""
    if schema.get("writeOnly"):
        if isinstance(value, str) and value:
            yield path, value
        return
    for key, each in _parts(value):
        yield from found(each, _inner(schema, key), f"{path}.{key}".lstrip("."))


def masked(value: Any, schema: Mapping[str, Any]) -> Any:
    """An input with a mark in place of each secret."""
    if schema.get("writeOnly"):
        return MARK if value else value
    if isinstance(value, dict):
        return {key: masked(each, _inner(schema, key)) for key, each in value.items()}
    if isinstance(value, list):
        return [masked(each, _inner(schema, 0)) for each in value]
    return value


def without(secrets: Iterable[str], value: Any) -> Any:
    """A JSON value with the mark wherever a text holds one of the secrets."""
    # A secret that is part of another one must not break it up first.
    ordered = sorted(secrets, key=len, reverse=True)
    return _without(ordered, value) if ordered else value


def put(values: dict[str, Any], path: str, secret: str) -> None:
    """Put a secret back at its path. Raises: KeyError, IndexError or ValueError for no place."""
    *outer, last = path.split(".")
    place: Any = values
    for key in outer:
        place = place[int(key)] if isinstance(place, list) else place[key]
    place[last] = secret


def _without(secrets: list[str], value: Any) -> Any:
    match value:
        case str():
            for secret in secrets:
                value = value.replace(secret, MARK)
            return value
        case dict():
            return {_without(secrets, key): _without(secrets, each) for key, each in value.items()}
        case list():
            return [_without(secrets, each) for each in value]
    return value


def _parts(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _inner(schema: Mapping[str, Any], key: Any) -> Mapping[str, Any]:
    if isinstance(key, str):
        inner: Mapping[str, Any] = schema.get("properties", {}).get(key, {})
        return inner
    items: Mapping[str, Any] = schema.get("items", {})
    return items
