"""The files of a release, packed the same whatever their order."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.catalog.models import Release
from marketplace.infra.blobs import Blobs
from marketplace.kernel.ids import AccountId, AppId, new_id
from marketplace.publishing import code
from tests.factories.catalog import NOON


def release_with(key: str | None) -> Release:
    return Release(
        app_id=AppId(new_id()),
        publisher_id=AccountId(new_id()),
        version="1.0.0",
        bundle_key="0" * 64,
        bundle_bytes=1,
        code_key=key,
        state_changed_at=NOON,
        created_at=NOON,
    )


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(files=st.dictionaries(st.text(min_size=1, max_size=20), st.binary(max_size=200)))
def test_what_is_stored_is_what_is_loaded(tmp_path: Path, files: dict[str, bytes]) -> None:
    blobs = Blobs(tmp_path)
    key = code.store(blobs, files)
    assert code.store(blobs, dict(reversed(files.items()))) == key
    assert code.load(blobs, release_with(key)) == files


def test_a_release_that_was_not_checked_has_nothing_to_run(tmp_path: Path) -> None:
    with pytest.raises(code.NotCompiled):
        code.load(Blobs(tmp_path), release_with(None))


def test_a_release_that_ran_lately_is_not_read_again(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    key = code.store(blobs, {"app.py": b"kept"})
    first = code.load(blobs, release_with(key))
    blobs.path(key).unlink()
    assert code.load(blobs, release_with(key)) is first


def test_only_so_many_bytes_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "_recent", code._Recent())
    monkeypatch.setattr(code, "MOST_KEPT_BYTES", 100)
    blobs = Blobs(tmp_path)
    keys = [code.store(blobs, {"a": bytes([n]) * 40}) for n in range(4)]
    for key in keys:
        code.load(blobs, release_with(key))
    assert [code._recent.get(key) is not None for key in keys] == [False, False, True, True]
    huge = code.store(blobs, {"a": b"x" * 200})
    assert code.load(blobs, release_with(huge))["a"] == b"x" * 200
    assert code._recent.get(huge) is None
