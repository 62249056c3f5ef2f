"""The files of runs: kept for one run, read by its app alone, and deleted."""

import base64
import os
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from marketplace.kernel.ids import AccountId, RunId, new_id
from marketplace.runs.files import PIECE_BYTES, Reader, RunFiles, TooManyFiles
from marketplace.runs.uploads import Picked
from marketplace.sandbox.ports import Refused

LINA, OMAR = AccountId(uuid4()), AccountId(uuid4())


def picked(data: bytes) -> Picked:
    value = {"file": new_id().hex, "name": "a", "media_type": "", "size_bytes": len(data)}
    return Picked(value, BytesIO(data))


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    return RunFiles(tmp_path / "files")


def kept(files: RunFiles, data: bytes, person: AccountId = LINA) -> tuple[RunId, str]:
    run_id, file = RunId(new_id()), picked(data)
    files.keep(person, run_id, [file], most_bytes=2**30)
    return run_id, file.value["file"]


def reader(files: RunFiles, run_id: RunId, person: AccountId = LINA, most: int = 2**30) -> Any:
    read = Reader(files, person, run_id, most_bytes=most).operations["files.read"]
    return lambda **payload: read(payload)


def refused(read: Any, **payload: Any) -> str:
    with pytest.raises(Refused) as found:
        read(**payload)
    assert found.value.message.endswith(".")
    return found.value.code


def test_an_app_reads_a_file_in_pieces(files: RunFiles) -> None:
    data = os.urandom(PIECE_BYTES + 100)
    run_id, file = kept(files, data)
    read = reader(files, run_id)
    first = read(file=file, offset=0, length=2**40)
    rest = read(file=file, offset=PIECE_BYTES, length=2**40)
    assert base64.b64decode(first["base64"]) + base64.b64decode(rest["base64"]) == data
    assert first["size_bytes"] == len(data)
    assert read(file=file, offset=10**15, length=5)["base64"] == ""
    # One answer of the store may have 1 MiB.
    assert len(first["base64"]) < 2**20


def test_no_other_run_and_no_other_person_has_it(files: RunFiles) -> None:
    run_id, file = kept(files, b"mine")
    other, _ = kept(files, b"another")
    theirs, _ = kept(files, b"theirs", OMAR)
    assert refused(reader(files, other), file=file) == "files.unknown"
    assert refused(reader(files, theirs, OMAR), file=file) == "files.unknown"
    assert refused(reader(files, run_id, OMAR), file=file) == "files.unknown"


@pytest.mark.parametrize("file", ["../x", "", ".", "/etc/passwd", None, 5, ["a"], "A" * 32, "f\0"])
def test_what_is_no_id_of_a_file_never_reaches_the_disk(files: RunFiles, file: Any) -> None:
    run_id, _ = kept(files, b"mine")
    assert refused(reader(files, run_id), file=file) == "files.unknown"


def test_an_id_that_climbs_to_a_file_beside_is_refused(files: RunFiles) -> None:
    run_id, _ = kept(files, b"mine")
    other, file = kept(files, b"another")
    assert refused(reader(files, run_id), file=f"../{other}/{file}") == "files.unknown"


@pytest.mark.parametrize("payload", [{"offset": -1}, {"length": "9"}, {"offset": True}])
def test_a_range_is_two_whole_numbers(files: RunFiles, payload: dict[str, Any]) -> None:
    run_id, file = kept(files, b"mine")
    assert refused(reader(files, run_id), file=file, **payload) == "files.range"


def test_a_run_reads_only_so_much(files: RunFiles) -> None:
    run_id, file = kept(files, b"12345")
    read = reader(files, run_id, most=10)
    read(file=file)
    read(file=file)
    assert refused(read, file=file) == "limit.file_bytes"


def test_a_person_has_room_for_so_much(files: RunFiles) -> None:
    for person in (LINA, OMAR):
        files.keep(person, RunId(new_id()), [picked(b"12345")], most_bytes=9)
    with pytest.raises(TooManyFiles, match="no room"):
        files.keep(LINA, RunId(new_id()), [picked(b"12345")], most_bytes=9)


def test_a_file_that_cannot_be_copied_leaves_nothing(files: RunFiles, tmp_path: Path) -> None:
    class Broken(BytesIO):
        def read(self, *_: Any) -> bytes:
            raise OSError("No space left on device")

    good, bad = picked(b"12345"), Picked(picked(b"1").value, Broken())
    with pytest.raises(OSError, match="No space"):
        files.keep(LINA, RunId(new_id()), [good, bad], most_bytes=99)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_files_are_deleted_after_some_days(files: RunFiles, tmp_path: Path) -> None:
    old, young = (kept(files, b"1")[0] for _ in range(2))
    folder = tmp_path / "files" / str(LINA)
    os.utime(folder / str(old), (0, 0))
    assert files.forget_older_than(60) == 1
    assert {path.name for path in folder.iterdir()} == {str(young)}
    os.utime(folder / str(young), (0, 0))
    files.forget_older_than(60)
    assert not folder.exists()
