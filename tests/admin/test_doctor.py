"""The doctor: every finding says how it is, and what to do where it is not well."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from marketplace.admin import doctor
from marketplace.admin.doctor import Finding, Patient
from marketplace.inference.fake import FakeInference
from marketplace.inference.ports import Device, EngineStatus, ServedModel
from marketplace.infra import migrations
from marketplace.infra.db import Database
from marketplace.sandbox.fake import FakeSandbox
from marketplace.sandbox.ports import SandboxStatus


class Usage(NamedTuple):
    """As much of `shutil.disk_usage` as is read."""

    free: int


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Database]:
    """A database that was never migrated."""
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    yield database
    database.close()


def patient(database: Database, folder: Path, **given: Any) -> Patient:
    values: dict[str, Any] = {
        "database": database,
        "data_dir": folder,
        "engine": FakeInference().status,
        "sandbox": FakeSandbox().status,
        "runtime": lambda: folder / "runtime.cwasm",
        **given,
    }
    return Patient(**values)


def found(patient: Patient, subject: str) -> Finding:
    return next(f for f in doctor.examine(patient) if f.subject == subject)


def test_a_well_store_has_only_good_findings(fresh: Database, tmp_path: Path) -> None:
    migrations.upgrade(fresh)
    findings = doctor.examine(patient(fresh, tmp_path))
    assert {f.level for f in findings} == {"good"}
    subjects = [f.subject for f in findings]
    assert subjects == ["SQLite", "Database", "Disk", "Engine", "App runtime", "Runners"]
    assert all(f.message.endswith(".") for f in findings)


def test_a_database_that_was_not_migrated_is_told_how(fresh: Database, tmp_path: Path) -> None:
    finding = found(patient(fresh, tmp_path), "Database")
    assert (finding.level, "`marketplace migrate`" in finding.message) == ("bad", True)


def test_a_database_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/nothing")
    finding = found(patient(away, tmp_path), "Database")
    assert (finding.level, finding.message.count("\n")) == ("bad", 0)
    away.close()


def test_an_sqlite_that_corrupts_is_refused(
    fresh: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "SAFE_SQLITE", (99, 0, 0))
    finding = found(patient(fresh, tmp_path), "SQLite")
    assert (finding.level, "use PostgreSQL" in finding.message) == ("bad", True)


def test_a_disk_that_fills_up_is_a_warning(
    fresh: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Usage(100 * 2**20))
    finding = found(patient(fresh, tmp_path), "Disk")
    assert (finding.level, "100 MiB are free" in finding.message) == ("warn", True)


@pytest.mark.parametrize(
    ("status", "level", "words"),
    [
        (EngineStatus(ready=False, why_not="There is no model."), "bad", "There is no model."),
        (EngineStatus(ready=False, loading=True), "warn", "loading"),
        (EngineStatus(ready=False), "bad", "not ready"),
        (EngineStatus(ready=True, model="Small", model_file="s.gguf"), "good", "Small (s.gguf)"),
    ],
)
def test_the_engine_is_told_as_it_is(
    fresh: Database, tmp_path: Path, status: EngineStatus, level: str, words: str
) -> None:
    finding = found(patient(fresh, tmp_path, engine=lambda: status), "Engine")
    assert (finding.level, words in finding.message) == (level, True)


def test_the_device_is_named(fresh: Database, tmp_path: Path) -> None:
    status = EngineStatus(ready=True, why_device="The CPU computes: there is no GPU.")
    finding = found(patient(fresh, tmp_path, engine=lambda: status), "Device")
    assert finding.message == status.why_device


def test_where_the_model_lies_and_what_slows_it_is_told(fresh: Database, tmp_path: Path) -> None:
    status = EngineStatus(
        ready=True,
        devices=(Device("CUDA0", "NVIDIA H100", "gpu", 2**36, 2**37),),
        gpu_bytes=2**30,
        ram_bytes=2**29,
        max_sequences=8,
        context=4096,
        warning="This machine has a GPU that lies idle.",
        models=(
            ServedModel("large", "Large", ("default", "small"), 4096, "loaded", None, 2**30),
            ServedModel("torn", "Torn", ("embed",), 512, "broken", "Its file is cut short."),
        ),
    )
    ill = patient(fresh, tmp_path, engine=lambda: status)
    assert found(ill, "NVIDIA H100").message.startswith("64 GiB of 128 GiB were free")
    memory = "1 GiB on GPUs and 512 MiB in main memory, with room for 8 requests of 4,096 tokens"
    assert found(ill, "Model memory").message.startswith(memory)
    assert found(ill, "Model large").message == "In memory · 1 GiB · default, small"
    assert found(ill, "Model torn") == Finding("Model torn", "bad", "Its file is cut short.")
    assert found(ill, "Speed") == Finding("Speed", "warn", status.warning or "")


def test_runners_that_are_away_and_a_runtime_that_is_not_built(
    fresh: Database, tmp_path: Path
) -> None:
    away = patient(
        fresh,
        tmp_path,
        sandbox=lambda: SandboxStatus(ready=False, why_not="Nobody listens."),
        runtime=lambda: None,
    )
    assert found(away, "Runners") == Finding("Runners", "bad", "Nobody listens.")
    assert found(away, "App runtime").level == "bad"


def test_a_wall_that_is_down_is_a_warning(fresh: Database, tmp_path: Path) -> None:
    walls = {"seccomp": "up", "network": "The kernel has no network namespaces."}
    status = SandboxStatus(ready=True, max_runners=8, walls=walls)
    ill = patient(fresh, tmp_path, sandbox=lambda: status)
    assert found(ill, "Wall: seccomp").level == "good"
    assert found(ill, "Wall: network") == Finding("Wall: network", "warn", walls["network"])
