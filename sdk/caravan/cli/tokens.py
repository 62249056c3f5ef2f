"""Where the stores' tokens are kept: one file, readable by its owner alone."""

import json
import os
from pathlib import Path
from typing import Any

import click

from caravan.cli.output import Exit, Failure


def file() -> Path:
    """The file's place; CARAVAN_CONFIG_DIR moves it."""
    return (
        Path(os.environ.get("CARAVAN_CONFIG_DIR") or click.get_app_dir("caravan")) / "stores.json"
    )


def read() -> dict[str, Any]:
    """`{"default": url, "tokens": {url: token}}`. Raises: Failure for a broken file."""
    try:
        kept = json.loads(file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"default": None, "tokens": {}}
    except ValueError:
        kept = None
    if not isinstance(kept, dict) or not isinstance(kept.get("tokens"), dict):
        raise Failure(
            Exit.USAGE,
            f"{file()} does not hold what `caravan login` wrote into it.",
            rule="store.tokens",
            fix="Remove the file and log in again: caravan login",
        )
    return {"default": kept.get("default"), "tokens": kept["tokens"]}


def write(kept: dict[str, Any]) -> None:
    """Replace the file in one step; it is private from its first byte."""
    target = file()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = target.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(kept, stream)
    fresh.replace(target)
