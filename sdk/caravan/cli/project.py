"""The app's folder on a developer's machine: its manifest, and its code, loaded natively."""

import importlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from caravan.app import App
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


def load_app(folder: Path, entry: str) -> App:
    """Import the entry module from the folder and return its `app`. Raises what it raises."""
    sys.path.insert(0, str(folder.resolve()))
    sys.dont_write_bytecode = True
    app = getattr(importlib.import_module(entry), "app", None)
    if not isinstance(app, App):
        raise TypeError(f"The module “{entry}” has no `app = App()`.")
    return app


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
