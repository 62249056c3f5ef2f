"""An app's own words in the reader's language: the captions of its forms, its reasons."""

from collections.abc import Mapping
from typing import Any

from marketplace.catalog.models import Release

# Where an action's description and a manifest hold what people read.
SHOWN = frozenset({"title", "doc", "description", "label", "placeholder", "reason"})


def actions(release: Release, *, locale: str) -> list[dict[str, Any]]:
    """The actions of a release, their captions in one language where it has them."""
    found: list[dict[str, Any]] = translated(release.actions["actions"], words(release, locale))
    return found


def manifest(release: Release, *, locale: str) -> dict[str, Any]:
    """The manifest of a release, its reasons and captions in one language where it has them."""
    found: dict[str, Any] = translated(release.manifest, words(release, locale))
    return found


def words(release: Release, locale: str) -> Mapping[str, str]:
    """`[words]` of the release's listing in one language: what stands in the app → its words."""
    found: Mapping[str, str] = release.listings.get(locale, {}).get("words", {})
    return found


def translated(node: Any, words: Mapping[str, str]) -> Any:
    """The same JSON with other words where people read them; names and values stay.

    A choice keeps its values and gets `x-ui.options`, value → words.
    """
    if isinstance(node, list):
        return [translated(each, words) for each in node]
    if not isinstance(node, dict) or not words:
        return node
    found: dict[str, Any] = {
        key: words.get(value, value)
        if key in SHOWN and isinstance(value, str)
        else translated(value, words)
        for key, value in node.items()
    }
    if isinstance(choices := node.get("enum"), list):
        options = {each: words[each] for each in choices if each in words}
        found["x-ui"] = {**found.get("x-ui", {}), "options": options}
    return found
