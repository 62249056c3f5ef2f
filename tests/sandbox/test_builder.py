"""The builder: the runtime follows its sources, and only a file of ours is believed."""

import os
import subprocess
from pathlib import Path

import pytest

from marketplace.sandbox import builder
from marketplace.sandbox.builder import RuntimeNotBuilt
from tests.factories.sandbox import runtime_cache


def test_the_guest_holds_what_the_sdk_imports_and_no_tool_of_the_developer() -> None:
    inside = builder.sources().keys()
    assert {"caravan/__init__.py", "caravan/schema.py", "caravan_runtime/guest.py"} <= inside
    assert "wit/caravan-app.wit" in inside
    assert not any("cli" in each or "manifest" in each for each in inside)


def test_a_built_runtime_is_found_again_without_building() -> None:
    built = builder.ensure_runtime(runtime_cache())
    said: list[str] = []
    assert builder.ensure_runtime(runtime_cache(), say=said.append) == built
    assert builder.find_runtime(runtime_cache()) == built
    assert said == []


def test_a_changed_source_is_another_runtime(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = builder.content_hash()
    changed = tmp_path / "guest.py"
    changed.write_text("print('changed')")
    real = builder.sources()
    monkeypatch.setattr(builder, "sources", lambda: real | {"caravan_runtime/guest.py": changed})
    assert builder.content_hash() != before


def test_a_file_that_was_changed_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = f"runtime-{builder.content_hash()}"
    (tmp_path / f"{name}.cwasm").write_bytes(b"native code of a stranger")
    (tmp_path / f"{name}.sha256").write_text("0" * 64)
    assert builder.find_runtime(tmp_path) is None
    steps: list[str] = []

    def refuse(command: list[str], stage: Path) -> None:
        steps.append(command[-1])
        raise RuntimeNotBuilt("The tool said no.")

    monkeypatch.setattr(builder, "_run", refuse)
    with pytest.raises(RuntimeNotBuilt):
        builder.ensure_runtime(tmp_path, say=lambda _: None)
    assert len(steps) == 1
    assert not list(tmp_path.glob("build-*"))


def test_a_directory_others_may_write_is_closed_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setattr(builder, "_build", lambda *_: None)
    builder.ensure_runtime(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_directory_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(RuntimeNotBuilt, match="another user"):
        builder.ensure_runtime(tmp_path)


def test_a_tool_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "error: no such world")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(RuntimeNotBuilt, match="no such world"):
        builder.ensure_runtime(tmp_path, say=lambda _: None)
