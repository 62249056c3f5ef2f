"""Downloads go on where they were cut, and stop early at what is no model."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marketplace.inference import downloads
from marketplace.inference.downloads import (
    BadAddress,
    DiskFull,
    DownloadFailed,
    NoSuchFile,
    WrongContent,
    check_sha256,
    fetch,
)
from marketplace.inference.gguf_file import NotAModel
from tests.inference.file_server import FileServer

MODEL = b"GGUF" + bytes(range(256)) * 2000
PATH = "/models/m.gguf"


@pytest.fixture
def server() -> Iterator[FileServer]:
    server = FileServer({PATH: MODEL, "/page": b"<html>not a model</html>"})
    yield server
    server.close()


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "m.part"


def get(server: FileServer, part: Path, path: str = PATH) -> list[tuple[int, int | None]]:
    seen: list[tuple[int, int | None]] = []
    fetch(server.address + path, part, lambda *done: seen.append(done), pause_s=0.0)
    return seen


def test_a_file_is_fetched_whole_with_its_progress(server: FileServer, part: Path) -> None:
    seen = get(server, part)
    assert part.read_bytes() == MODEL
    assert seen[-1] == (len(MODEL), len(MODEL))
    assert not part.with_name("m.part.etag").exists()


def test_a_cut_download_goes_on_where_it_was_cut(server: FileServer, part: Path) -> None:
    server.cut_after = [100_000, 50_000]
    seen = get(server, part)
    assert part.read_bytes() == MODEL
    assert [asked for _, asked in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
    assert seen[-1] == (len(MODEL), len(MODEL))


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server: FileServer, part: Path) -> None:
    server.cut_after = [1000] + [0] * 4
    with pytest.raises(DownloadFailed, match="run the same command again"):
        get(server, part)
    assert part.stat().st_size == 1000
    get(server, part)
    assert server.requests[-1] == (PATH, "bytes=1000-")
    assert part.read_bytes() == MODEL


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(
    server: FileServer, part: Path
) -> None:
    server.cut_after = [1000] + [0] * 4
    with pytest.raises(DownloadFailed):
        get(server, part)
    server.files[PATH] = b"GGUF" + b"new" * 5000
    server.etag = '"two"'
    get(server, part)
    assert part.read_bytes() == server.files[PATH]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_promise_of_equal_bytes_a_cut_download_begins_again(
    server: FileServer, part: Path, etag: str | None
) -> None:
    server.etag = etag
    server.cut_after = [1000]
    get(server, part)
    assert part.read_bytes() == MODEL
    assert server.requests[-1] == (PATH, None)


def test_what_came_too_much_is_thrown_away(server: FileServer, part: Path) -> None:
    part.write_bytes(MODEL + b"and more")
    part.with_name("m.part.etag").write_text('"one"')
    get(server, part)
    assert part.read_bytes() == MODEL


def test_a_missing_file_is_told(server: FileServer, part: Path) -> None:
    with pytest.raises(NoSuchFile, match="no file at http"):
        get(server, part, "/gone.gguf")


def test_a_page_is_refused_at_its_first_bytes(server: FileServer, part: Path) -> None:
    with pytest.raises(NotAModel, match="not a GGUF file"):
        get(server, part, "/page")


def test_a_file_behind_a_licence_is_told(server: FileServer, part: Path) -> None:
    server.status = 403
    with pytest.raises(BadAddress, match="answered 403"):
        get(server, part)


def test_a_server_in_trouble_is_tried_again_and_then_told(server: FileServer, part: Path) -> None:
    server.status = 503
    with pytest.raises(DownloadFailed, match="answered 503"):
        get(server, part)
    assert len(server.requests) == 5


def test_a_server_that_is_not_there_is_told(part: Path) -> None:
    with pytest.raises(DownloadFailed, match="could not be fetched"):
        fetch("http://127.0.0.1:1/m.gguf", part, lambda *_: None, pause_s=0.0)


@pytest.mark.parametrize("url", ["http://example.com/m.gguf", "ftp://127.0.0.1/m", "file:///etc"])
def test_only_https_is_fetched_from_elsewhere(url: str, part: Path) -> None:
    with pytest.raises(BadAddress, match="https alone"):
        fetch(url, part, lambda *_: None)


def test_a_full_disk_is_told_before_anything_is_written(
    server: FileServer, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_folder: Path) -> Any:
        return type("Usage", (), {"free": 1000})()

    monkeypatch.setattr(shutil, "disk_usage", full)
    with pytest.raises(DiskFull, match=r"0\.0 MiB are free"):
        get(server, part)
    assert not part.exists()
    assert downloads.SPARE_DISK_BYTES > 0


def test_a_checksum_is_compared_whatever_its_case(part: Path) -> None:
    part.write_bytes(MODEL)
    digest = hashlib.sha256(MODEL).hexdigest()
    assert check_sha256(part, digest.upper()) == digest
    with pytest.raises(WrongContent, match="was expected"):
        check_sha256(part, "0" * 64)
