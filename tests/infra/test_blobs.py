"""Blobs: kept under what they hold, whole or not at all."""

import hashlib
import os
from pathlib import Path

import pytest

from marketplace.infra.blobs import BlobNotFound, Blobs


@pytest.mark.parametrize("data", [b"", b"a caravan", bytes(range(256)) * 4096])
def test_what_was_put_is_got_under_its_hash(tmp_path: Path, data: bytes) -> None:
    blobs = Blobs(tmp_path)
    key = blobs.put(data)
    assert key == hashlib.sha256(data).hexdigest()
    assert blobs.get(key) == data
    assert blobs.path(key).read_bytes() == data


def test_the_same_content_is_kept_once(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    first = blobs.path(blobs.put(b"same")).stat().st_ino
    assert blobs.path(blobs.put(b"same")).stat().st_ino == first
    assert len([file for file in tmp_path.rglob("*") if file.is_file()]) == 1


def test_what_was_never_put_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(BlobNotFound, match="no stored file"):
        Blobs(tmp_path).get("0" * 64)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    blobs = Blobs(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        blobs.put(b"too much")
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
    monkeypatch.undo()
    assert blobs.get(blobs.put(b"too much")) == b"too much"
