"""The app's folder on a developer's machine: its manifest, and its code, loaded natively."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from caravan.cli.output import Exit, Failure
from caravan.findings import BundleRefused
from caravan.manifest import Manifest
from caravan.reading import MANIFEST_FILE, read_manifest

folder_argument = click.argument(
    "path",
    type=click.Path(exists=True, path_type=Path),
    default=Path(),
)


def manifest_of(folder: Path) -> Manifest:
    """The folder's manifest. Raises: Failure with what to do."""
    file = folder / MANIFEST_FILE
    if not file.is_file():
        raise Failure(
            Exit.USAGE,
            f"There is no {MANIFEST_FILE} in {folder.resolve()}.",
            rule="bundle.manifest",
            fix="Go into the app's folder, or make one: caravan new word-garden",
        )
    try:
        return read_manifest(file.read_bytes())
    except BundleRefused as refused:
        raise Failure(
            Exit.CHECKS_FAILED,
            f"{MANIFEST_FILE}:{refused.line}: {refused.message}",
            rule=refused.rule,
            fix="See everything that is wrong with: caravan check",
        ) from None


def values_of(texts: Iterable[tuple[str, str]], schema: Mapping[str, Any]) -> dict[str, Any]:
    """`key=value` texts as the types the schema asks for; what cannot be read stays text."""
    properties = schema["properties"]
    return {
        key: _value_of(text, properties.get(key, {}).get("type", "string")) for key, text in texts
    }


def _value_of(text: str, kind: str) -> Any:
    if kind == "string":
        return text
    if kind == "boolean":
        text = {"yes": "true", "no": "false", "on": "true", "off": "false"}.get(text, text)
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
