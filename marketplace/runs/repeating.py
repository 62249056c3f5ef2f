"""An earlier run once more: what it was given, as far as the store still keeps it."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, Any

from caravan import withheld
from caravan.forms import FILE_FORMAT

from marketplace.kernel.ids import AccountId, RunId
from marketplace.runs import uploads
from marketplace.runs.files import RunFiles
from marketplace.runs.models import Run
from marketplace.runs.uploads import Taken
from marketplace.web.i18n import gettext as _


@dataclass(frozen=True)
class Kept:
    """A file of an earlier run, as if a browser sent it once more."""

    filename: str
    stream: IO[bytes]


@contextmanager
def taken(
    run: Run,
    files: RunFiles,
    *,
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    most_bytes: int,
) -> Iterator[Taken]:
    """The files of an earlier run for a new one, open for as long as this lasts.

    Args:
        before: the schema of the input then; `now`: the one of the release that would run.
        most_bytes: the store's own limit of one file.
    Yields: the files; what is kept no longer, a file or a secret, is told as wrong.
    """
    person_id, run_id = AccountId(run.person_id), RunId(run.id)
    sent: dict[str, Kept] = {}
    gone = {
        path: _("Secrets are not kept. Please type it again.") for path in _secrets(run, before)
    }
    with ExitStack() as opened:
        for path, _field in uploads.file_fields(before):
            file = _at(run.input, path)
            if file is None:
                continue
            try:
                stream = files.opened(person_id, run_id, file["file"])
            except FileNotFoundError:
                gone[path] = _("This file is kept no longer. Please choose it again.")
            else:
                sent[path] = Kept(file["name"], opened.enter_context(stream))
        found = uploads.take(now, sent, most_bytes=most_bytes)
        yield Taken(found.picked, {**found.wrong, **gone})


def fillable(value: Any, schema: Mapping[str, Any]) -> Any:
    """What of an earlier input a form can be filled with: all but its secrets and its files."""
    if isinstance(value, dict):
        fields = schema.get("properties", {})
        return {
            name: fillable(each, fields.get(name, {}))
            for name, each in value.items()
            if not _is_left_out(fields.get(name, {}))
        }
    if isinstance(value, list):
        return [fillable(each, schema.get("items", {})) for each in value]
    return value


def _is_left_out(field: Mapping[str, Any]) -> bool:
    return bool(field.get("writeOnly")) or field.get("format") == FILE_FORMAT


def _secrets(run: Run, schema: Mapping[str, Any]) -> list[str]:
    """Where a mark stands in the place of a secret."""
    return [path for path, _mark in withheld.found(run.input, schema)]


def _at(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
