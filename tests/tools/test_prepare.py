"""The preparation: what a failed build of llama.cpp leaves, and what it says."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parent.parent.parent / "tools" / "prepare.py"
# What a build without a compiler prints, from its first complaint to pip's summary.
BUILD_LOG = """\
  *** Configuring CMake...
  -- Building with -Werror=format
  CMake Error at /usr/share/cmake/CMakeDetermineCCompiler.cmake:49 (message):
    Could not find compiler set in environment variable CC:

    /nonexistent/cc.
  Call Stack (most recent call first):
  error: subprocess-exited-with-error
ERROR: Failed to build one or more wheels
"""


@pytest.fixture
def prepare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prepare", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_first_error_is_told_and_not_its_consequences(
    prepare: ModuleType, tmp_path: Path
) -> None:
    log = tmp_path / "build.log"
    log.write_text(BUILD_LOG)
    assert prepare.first_error(log).endswith(
        "(message): Could not find compiler set in environment variable CC: /nonexistent/cc."
    )
    log.write_text("")
    assert prepare.first_error(log) == "no output"


def test_a_build_that_fails_does_not_end_the_preparation(
    prepare: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # An environment whose Python cannot build anything.
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho 'llama.cpp:1:1: error: no such compiler'\nexit 1\n")
    python.chmod(0o755)
    for name, value in {
        "VENV": tmp_path,
        "PYTHON": python,
        "BUILD_LOG": tmp_path / "build.log",
        "CACHE": tmp_path / "cache",
    }.items():
        monkeypatch.setattr(prepare, name, value)
    prepare.install_engine()
    said = capsys.readouterr().out
    assert "could not be built: llama.cpp:1:1: error: no such compiler" in said
    assert f"apps cannot run. The log: {tmp_path / 'build.log'}" in said
    assert not (tmp_path / ".done-engine").exists()
    assert list((tmp_path / "cache").rglob("*")) in ([], [tmp_path / "cache" / "wheels"])


def test_an_unknown_gpu_is_refused_with_the_known_ones(
    prepare: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GPU", "abacus")
    with pytest.raises(SystemExit):
        prepare.install_engine()
    assert "GPU=abacus is not known; use one of: cuda, metal" in capsys.readouterr().err


def test_the_gpu_that_was_chosen_is_remembered(
    prepare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "VENV", tmp_path)
    chosen = []
    for given in ("", "vulkan", "", "cpu", ""):
        monkeypatch.setenv("GPU", given)
        chosen.append(prepare.chosen_gpu())
    assert chosen == ["cpu", "vulkan", "vulkan", "cpu", "cpu"]
    monkeypatch.setenv("GPU", "abacus")
    with pytest.raises(SystemExit):
        prepare.chosen_gpu()


def test_a_gpu_without_its_compiler_is_told_before_the_build(
    prepare: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    compiler = tmp_path / "nvcc"
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setitem(prepare.GPU_COMPILERS, "cuda", ("nvcc", str(compiler), "the toolkit"))
    with pytest.raises(SystemExit):
        prepare.gpu_compiler("cuda")
    assert "GPU=cuda needs the toolkit: nvcc was not found." in capsys.readouterr().err
    compiler.touch()
    assert prepare.gpu_compiler("cuda") == {"CUDACXX": str(compiler)}
    assert prepare.gpu_compiler("cpu") == {}
