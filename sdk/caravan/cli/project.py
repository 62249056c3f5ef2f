"""The app's folder on a developer's machine: its manifest, and its code, loaded natively."""

import mimetypes
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from caravan import forms, preferences
from caravan.app import App
from caravan.cli.output import Exit, Failure
from caravan.findings import BundleRefused
from caravan.manifest import Manifest
from caravan.native import load_app, traced
from caravan.reading import MANIFEST_FILE, read_manifest
from caravan.testing import Upload
from caravan.wasm import Component
from caravan.workbench import NoSandbox

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


def app_of(folder: Path, manifest: Manifest) -> App | Component:
    """The folder's app, ready for a Simulator. Raises: Failure where it cannot be imported."""
    if manifest.runtime.kind == "component":
        return Component(folder)
    try:
        return load_app(folder, manifest.runtime.entry)
    except Exception as error:  # noqa: BLE001  (an app may raise anything when it is imported)
        raise failed(error, folder) from None


def failed(error: Exception, folder: Path) -> Failure:
    """What an app itself raised, with the lines of its own files."""
    return Failure(
        Exit.APP_FAILED,
        traced(error, folder).rstrip() or str(error),
        rule=getattr(error, "code", "app.error"),
        fix="Mend the line of the app that stands last above.",
    )


def absent(error: NoSandbox) -> Failure:
    """A command that needs the real sandbox, where there is none."""
    return Failure(
        Exit.NO_SANDBOX,
        str(error),
        rule=error.code,
        fix="Run it in a checkout of Caravan that `make test` or `make run` has set up.",
    )


def settings_of(manifest: Manifest) -> dict[str, Any]:
    """What `ctx.settings` has of a person who has set nothing: the manifest's defaults."""
    return preferences.known_to_app([each.model_dump() for each in manifest.setting], {}, ())


def values_of(pairs: Iterable[tuple[str, str]], schema: Mapping[str, Any]) -> dict[str, Any]:
    """`key=value` texts as the types the schema asks for; what cannot be read stays text.

    A field of a group is `place.city=Fes`, of a table `rows.0.city=Fes`, a file `notes=@a.txt`.
    Raises: Failure for a file that cannot be read.
    """
    texts = dict(pairs)
    properties = schema["properties"]
    files = {
        name: upload_of(Path(texts[name].removeprefix("@")))
        for name, field in properties.items()
        if name in texts and field.get("format") == forms.FILE_FORMAT
    }
    found = forms.given(texts, schema, files)
    known = {name.partition(".")[0] for name in texts}
    # What the schema does not know is passed on, so that its refusal names it.
    return {
        **{name: texts[name] for name in known - properties.keys() if name in texts},
        **found,
    }


def upload_of(file: Path) -> Upload:
    """A file of this machine as a person picks it. Raises: Failure where it cannot be read."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Failure(
            Exit.USAGE,
            f"{file} cannot be read: {error.strerror}.",
            rule="run.file",
            fix="Name a file that is there; on the command line after an @: notes=@notes.txt.",
        ) from None
    return Upload(file.name, data, mimetypes.guess_type(file.name)[0] or "application/octet-stream")
