"""A picked file: its name, what it is, and whether a field takes it."""

from dataclasses import dataclass
from io import BytesIO
from typing import Annotated, Any, BinaryIO

import pytest
from caravan import App, Field, File
from hypothesis import given
from hypothesis import strategies as st

from marketplace.runs import uploads

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@dataclass
class Sent:
    """A file as a form brings it."""

    stream: BinaryIO
    filename: str | None = "notes.txt"


def schema_of(**field: Any) -> dict[str, Any]:
    app = App()

    @app.action("Read")
    def read(file: Annotated[File, Field(**field)]) -> str:
        return file.name

    schema: dict[str, Any] = app.describe()["actions"][0]["input_schema"]
    return schema


def taken(data: bytes, name: str = "notes.txt", most_bytes: int = 100, **field: Any) -> Any:
    sent = {"file": Sent(BytesIO(data), name)}
    return uploads.take(schema_of(**field), sent, most_bytes=most_bytes)


def test_a_file_becomes_the_value_the_schema_asks_for() -> None:
    found = taken(b"hello")
    assert found.wrong == {}
    value = found.values["file"]
    assert len(value.pop("file")) == 32
    assert value == {"name": "notes.txt", "media_type": "text/plain", "size_bytes": 5}
    assert found.picked["file"].stream.read() == b"hello"


@pytest.mark.parametrize("sent", [{}, {"file": Sent(BytesIO(), "")}, {"other": Sent(BytesIO())}])
def test_a_field_left_empty_has_no_file(sent: Any) -> None:
    assert uploads.take(schema_of(), sent, most_bytes=9).picked == {}


@pytest.mark.parametrize(
    ("most", "max_bytes", "is_taken"), [(5, 9, True), (4, 9, False), (9, 4, False), (9, 5, True)]
)
def test_the_smaller_of_both_limits_counts(most: int, max_bytes: int, *, is_taken: bool) -> None:
    found = taken(b"hello", most_bytes=most, max_bytes=max_bytes)
    assert (not found.wrong) is is_taken


@pytest.mark.parametrize(
    ("accept", "name", "is_taken"),
    [
        ((".txt", ".md"), "A.TXT", True),
        ((".md",), "a.txt", False),
        (("text/*",), "a", True),
        (("text/plain",), "a.csv", False),
        (("image/*",), "a.png", False),
    ],
)
def test_only_the_kinds_a_field_accepts_are_taken(
    accept: tuple[str, ...], name: str, *, is_taken: bool
) -> None:
    wrong = taken(b"hello", name, accept=accept).wrong
    assert (not wrong) is is_taken
    assert is_taken or accept[0] in wrong["file"]


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (PNG, "a.txt", "image/png"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "a", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "a", "audio/wav"),
        (b"RIFF\0\0\0\0AVI LIST", "a", "application/octet-stream"),
        (b"%PDF-1.7", "a.txt", "application/pdf"),
        (b"a,b\n1,2\n", "a.CSV", "text/csv"),
        ("مرحبا".encode(), "a.txt", "text/plain"),
        (b"MZ\x90\0", "a.txt", "application/octet-stream"),
        (b"x" * 4095 + "م".encode()[:1], "a", "text/plain"),
        (b"x" * 100 + "م".encode()[:1], "a", "application/octet-stream"),
        (b"", "a.txt", "text/plain"),
    ],
)
def test_what_a_file_is_follows_from_its_bytes(head: bytes, name: str, kind: str) -> None:
    assert uploads.sniffed(head, name) == kind


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\Amina\\notes.txt", "notes.txt"),
        ("..", "file"),
        ("a\0b\n\u202egnp.exe", "a\ufffdbgnp.exe"),
        ("محضر.txt", "محضر.txt"),
        ("x" * 300 + ".txt", "x" * 115 + "….txt"),
    ],
)
def test_a_name_loses_its_folders_and_what_cannot_be_seen(name: str, plain: str) -> None:
    assert uploads.plain_name(name) == plain


@given(st.text())
def test_no_name_has_a_folder_or_is_too_long(name: str) -> None:
    plain = uploads.plain_name(name)
    assert 0 < len(plain) <= uploads.NAME_CHARACTERS
    assert not set(plain) & {"/", "\\", "\0"}
    assert plain not in {".", ".."}


def test_a_program_cannot_write_what_stands_for_a_file() -> None:
    schema = {"type": "object", "properties": {"trip": schema_of(), "file": {}}}
    schema["properties"]["file"] = schema_of()["properties"]["file"]
    sent = {"trip.file": Sent(BytesIO(b"1"))}
    found = uploads.take(schema, sent, most_bytes=9)
    written = {"trip": {"file": "mine", "a": 1}, "file": {"file": "theirs"}}
    whole = uploads.with_files(written, schema, found)
    assert whole == {"trip": {"file": found.values["trip.file"], "a": 1}}


def test_files_in_groups_are_found() -> None:
    inner = schema_of()
    schema = {"type": "object", "properties": {"trip": inner, "text": {"type": "string"}}}
    assert [path for path, _ in uploads.file_fields(schema)] == ["trip.file"]
