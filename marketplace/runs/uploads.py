"""A file that a person picked: what it is called, what it is, and whether the action takes it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import SEEK_END
from typing import IO, Any, Protocol

from caravan.forms import FILE_FORMAT

from marketplace.kernel.ids import new_id
from marketplace.runs.keepable import mended
from marketplace.web.i18n import format_number
from marketplace.web.i18n import gettext as _

NAME_CHARACTERS = 120
HEAD_BYTES = 4096
OCTETS = "application/octet-stream"
# What the first bytes of a file say it is. https://mimesniff.spec.whatwg.org/#matching-a-mime-type-pattern
SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
)
# What a text is, by the end of its name: its bytes alone do not say.
TEXTS = {
    "csv": "text/csv",
    "md": "text/markdown",
    "json": "application/json",
    "html": "text/html",
}


class Sent(Protocol):
    """A file of a multipart form."""

    @property
    def filename(self) -> str | None:
        """What the browser calls it."""

    @property
    def stream(self) -> IO[bytes]:
        """Its bytes, of which the place can be set."""


@dataclass(frozen=True)
class Picked:
    """One file for a run, not kept yet; `value` stands for it in the action's input."""

    value: dict[str, Any]
    stream: IO[bytes]


@dataclass(frozen=True)
class Taken:
    """The files of one form.

    Args:
        picked: by the path of their field.
        wrong: sentence by path, for those that cannot be taken.
    """

    picked: Mapping[str, Picked]
    wrong: Mapping[str, str]

    @property
    def values(self) -> dict[str, Any]:
        """What stands for each file in the action's input."""
        return {path: each.value for path, each in self.picked.items()}


def take(schema: Mapping[str, Any], sent: Mapping[str, Sent], *, most_bytes: int) -> Taken:
    """The files of a form, each under an id of its own, held against the action's schema.

    Args:
        most_bytes: the store's own limit; a field's `max_bytes` can only lower it.
    """
    picked, wrong = {}, {}
    for path, field in file_fields(schema):
        file = sent.get(path)
        if file is None or not file.filename:
            continue
        picked[path] = _picked(file)
        if problem := _problem(picked[path].value, field, most_bytes):
            wrong[path] = problem
    return Taken(picked, wrong)


def with_files(
    values: dict[str, Any], schema: Mapping[str, Any], taken: Taken, prefix: str = ""
) -> dict[str, Any]:
    """A program's input with what stands for its files; what it wrote there itself is dropped."""
    found = dict(values)
    for name, field in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        if field.get("format") == FILE_FORMAT:
            found.pop(name, None)
            found |= {name: taken.values[path]} if path in taken.picked else {}
        elif isinstance(inner := found.get(name), dict):
            found[name] = with_files(inner, field, taken, f"{path}.")
    return found


def file_fields(
    schema: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The path and the schema of every file field of an object."""
    for name, field in schema.get("properties", {}).items():
        if field.get("format") == FILE_FORMAT:
            yield f"{prefix}{name}", field
        elif field.get("type") == "object":
            yield from file_fields(field, f"{prefix}{name}.")


def sniffed(head: bytes, name: str) -> str:
    """The media type of a file, by its first bytes; what the browser says of it counts nothing."""
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            return kind
    if head.startswith(b"RIFF") and head[8:12] in {b"WEBP", b"WAVE"}:
        return "image/webp" if head[8:12] == b"WEBP" else "audio/wav"
    try:
        # The head may end in the middle of a character, of up to four bytes.
        text = head.decode(errors="strict")
    except UnicodeDecodeError as error:
        is_cut = len(head) == HEAD_BYTES and error.start > HEAD_BYTES - 4
        text = head[: error.start].decode() if is_cut else "\0"
    if "\0" in text:
        return OCTETS
    return TEXTS.get(name.rpartition(".")[2].lower(), "text/plain")


def plain_name(name: str) -> str:
    """What a file is called, without the folders and the control characters a browser may send."""
    last = mended(name).replace("\\", "/").rpartition("/")[2]
    shown = "".join(each for each in last if each.isprintable()).strip(" .")
    if len(shown) > NAME_CHARACTERS:
        stem, dot, ending = shown.rpartition(".")
        kept = dot + ending if stem and len(ending) < NAME_CHARACTERS // 2 else ""
        shown = shown[: NAME_CHARACTERS - len(kept) - 1] + "…" + kept
    return shown or "file"


def _picked(file: Sent) -> Picked:
    size = file.stream.seek(0, SEEK_END)
    file.stream.seek(0)
    name = plain_name(file.filename or "")
    kind = sniffed(file.stream.read(HEAD_BYTES), name)
    file.stream.seek(0)
    value = {"file": new_id().hex, "name": name, "media_type": kind, "size_bytes": size}
    return Picked(value, file.stream)


def _problem(value: Mapping[str, Any], field: Mapping[str, Any], most_bytes: int) -> str | None:
    ui = field.get("x-ui", {})
    asked = ui.get("max_bytes")
    most = min(asked, most_bytes) if isinstance(asked, int) else most_bytes
    if value["size_bytes"] > most:
        return _(
            "This file has %(have)s KB; %(most)s KB is the most.",
            have=format_number(-(-value["size_bytes"] // 1000)),
            most=format_number(most // 1000),
        )
    accepted = [str(each) for each in ui.get("accept") or ()]
    if accepted and not any(_fits(value, each.lower()) for each in accepted):
        # Set apart as left-to-right, so that an Arabic sentence leaves the dots in their place.
        kinds = f"\u2066{', '.join(accepted)}\u2069"
        return _("This app takes files of these kinds: %(kinds)s.", kinds=kinds)
    return None


def _fits(value: Mapping[str, Any], accepted: str) -> bool:
    """Whether one entry of `accept` allows a file: `.csv`, `text/plain` or `image/*`."""
    if accepted.startswith("."):
        return str(value["name"]).lower().endswith(accepted)
    kind, _slash, inner = accepted.partition("/")
    return value["media_type"] == accepted or (
        inner == "*" and str(value["media_type"]).startswith(f"{kind}/")
    )
