"""Looks at everything a store needs, and says what to do about what is missing."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2 as sqlite
from sqlalchemy.exc import SQLAlchemyError

from marketplace.inference.devices import as_memory
from marketplace.inference.ports import EngineStatus
from marketplace.infra import migrations
from marketplace.infra.db import SAFE_SQLITE, Database
from marketplace.sandbox.ports import SandboxStatus

LEAST_FREE_BYTES = 1024**3


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        level: `good`, `warn` (works, but should be mended) or `bad` (does not work).
    """

    subject: str
    level: str
    message: str

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


@dataclass(frozen=True)
class Patient:
    """What is examined.

    Args:
        runtime: finds the compiled Python runtime of apps, or None when it is not built.
    """

    database: Database
    data_dir: Path
    engine: Callable[[], EngineStatus]
    sandbox: Callable[[], SandboxStatus]
    runtime: Callable[[], Path | None]


def examine(patient: Patient) -> list[Finding]:
    """Every finding, in the order in which a store depends on them."""
    return [
        *_database(patient),
        *_disk(patient),
        *_engine(patient.engine()),
        *_sandbox(patient),
    ]


def _database(patient: Patient) -> Iterator[Finding]:
    database = patient.database
    if database.is_sqlite:
        version = ".".join(map(str, sqlite.sqlite_version_info))
        if sqlite.sqlite_version_info >= SAFE_SQLITE:
            yield Finding("SQLite", "good", f"Version {version}.")
        else:
            yield Finding(
                "SQLite",
                "bad",
                f"Version {version} can corrupt a database that several processes write; "
                "install the pysqlite3 wheel or use PostgreSQL.",
            )
    try:
        at = migrations.current(database)
    except SQLAlchemyError as error:
        yield Finding("Database", "bad", f"It cannot be reached: {str(error).splitlines()[0]}")
        return
    if at == migrations.head():
        yield Finding("Database", "good", f"At the newest revision, {at}.")
    else:
        yield Finding(
            "Database",
            "bad",
            f"At revision {at or 'none'}, the code expects {migrations.head()}; "
            "run `marketplace migrate`.",
        )


def _disk(patient: Patient) -> Iterator[Finding]:
    folder = patient.data_dir if patient.data_dir.exists() else patient.data_dir.parent
    free = shutil.disk_usage(folder).free
    text = f"{free / 1024**3:.1f} GB free in {patient.data_dir}."
    if free < LEAST_FREE_BYTES:
        yield Finding("Disk", "warn", f"Only {text} Models and uploads need room.")
    else:
        yield Finding("Disk", "good", text)


def _engine(status: EngineStatus) -> Iterator[Finding]:
    if status.ready:
        file = f" ({status.model_file})" if status.model_file else ""
        yield Finding("Engine", "good", f"Ready with {status.model}{file}.")
    elif status.loading:
        yield Finding("Engine", "warn", "It is loading its model.")
    else:
        yield Finding("Engine", "bad", status.why_not or "It is not ready.")
    if status.why_device:
        yield Finding("Device", "good", status.why_device)
    for device in status.devices:
        if device.kind in {"gpu", "igpu"}:
            free, total = device.memory_free_bytes, device.memory_total_bytes
            memory = f"{as_memory(free)} of {as_memory(total)} were free before the model came."
            yield Finding(device.description or device.name, "good", memory)
    if status.gpu_bytes or status.ram_bytes:
        yield Finding(
            "Model memory",
            "good",
            f"{as_memory(status.gpu_bytes or 0)} on GPUs and {as_memory(status.ram_bytes or 0)} in "
            f"main memory, with room for {status.max_sequences} requests of {status.context} "
            "tokens at once.",
        )
    for model in status.models:
        subject = f"Model {model.name}"
        roles = ", ".join(model.roles) or "no role any more"
        if model.why_not:
            yield Finding(subject, "bad", model.why_not)
        else:
            holds = f", in {as_memory(model.memory_bytes)}" if model.memory_bytes else ""
            yield Finding(subject, "good", f"{model.state.capitalize()}{holds}; {roles}.")
    if status.warning:
        yield Finding("Speed", "warn", status.warning)


def _sandbox(patient: Patient) -> Iterator[Finding]:
    runtime = patient.runtime()
    if runtime is None:
        yield Finding(
            "App runtime", "bad", "It is not built; `marketplace serve` builds it in a minute."
        )
    else:
        yield Finding("App runtime", "good", f"Built: {runtime.name}.")
    status = patient.sandbox()
    if status.ready:
        yield Finding("Runners", "good", f"Ready, {status.max_runners} at most at once.")
    else:
        yield Finding("Runners", "bad", status.why_not or "They do not answer.")
    for wall, state in status.walls.items():
        yield Finding(
            f"Wall: {wall}",
            "good" if state == "up" else "warn",
            "Up." if state == "up" else state,
        )
