"""A small, complete app as files, for tests to bend."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from caravan import bundle

MANIFEST = '''[app]
id = "tests.echo"
name = "Echo"
version = "1.0.0"
summary = "Says again what you said, and a little more."
description = """
Echo repeats a text.
It is small enough to read in one breath, and whole enough to be published.
"""
categories = ["fun"]
licence = "Apache-2.0"
support = "mailto:echo@example.com"
age = 3
icon = "assets/icon.svg"

[runtime]
kind = "python"
entry = "app"
api = "1"

[[permission]]
name = "llm.generate"
reason = "Writes the little more."
'''
APP = '''"""Echo."""

from caravan import App, Context

app = App()


@app.action("Echo")
def echo(ctx: Context, text: str):
    """Say it again."""
    yield text
    yield from ctx.llm.stream(text)
'''
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
    '<circle cx="32" cy="32" r="24" fill="#b5543a"/></svg>'
)
EVALS = """[[case]]
action = "echo"
input = { text = "salam" }
expect_contains = "salam"
"""
LISTING = """name = "صدى"
summary = "يعيد ما قلته ويزيد عليه قليلا."
description = "صدى يعيد النص الذي تكتبه ويزيد عليه قليلا."
"""


def with_changes(changes: Mapping[str, str | bytes | None]) -> dict[str, bytes]:
    """The app's files, some replaced, added, or (None) left out."""
    files: dict[str, str | bytes | None] = {
        "caravan.toml": MANIFEST,
        "app.py": APP,
        "assets/icon.svg": ICON,
        "evals/first.toml": EVALS,
        "listing/ar.toml": LISTING,
        **changes,
    }
    return {
        path: text.encode() if isinstance(text, str) else text
        for path, text in files.items()
        if text is not None
    }


def make_bundle(changes: Mapping[str, str | bytes | None] | None = None) -> bundle.Bundle:
    """The app as an opened bundle."""
    return bundle.open_bundle(bundle.pack(with_changes(changes or {})))


def write_folder(folder: Path, changes: Mapping[str, str | bytes | None] | None = None) -> Path:
    """The app as a folder on disk."""
    for path, data in with_changes(changes or {}).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def zip_of(entries: list[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    """A zip of exactly these entries, however bad they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for entry, data in entries:
            archive.writestr(entry, data)
    return buffer.getvalue()
