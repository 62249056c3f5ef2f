"""Looks at everything a store needs, and says what to do about what is missing."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2 as sqlite
from sqlalchemy.exc import SQLAlchemyError

from marketplace.inference.ports import EngineStatus
from marketplace.infra import migrations
from marketplace.infra.db import SAFE_SQLITE, Database
from marketplace.kernel.words import noted
from marketplace.sandbox.ports import SandboxStatus
from marketplace.web.i18n import format_memory, format_number
from marketplace.web.i18n import gettext as _

LEAST_FREE_BYTES = 1024**3
NOT_READY = noted("It is not ready.")
STATES = {
    "unloaded": noted("Not in memory"),
    "loading": noted("Being loaded"),
    "loaded": noted("In memory"),
}
NO_ANSWER = noted("They do not answer.")


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
            yield Finding("SQLite", "good", _("Version %(version)s.", version=version))
        else:
            yield Finding(
                "SQLite",
                "bad",
                _(
                    "Version %(version)s can corrupt a database that several processes write; "
                    "install the pysqlite3 wheel or use PostgreSQL.",
                    version=version,
                ),
            )
    subject = _("Database")
    try:
        at = migrations.current(database)
    except SQLAlchemyError as error:
        yield Finding(
            subject, "bad", _("It cannot be reached: %(why)s", why=str(error).splitlines()[0])
        )
        return
    if at == migrations.head():
        yield Finding(subject, "good", _("At the newest revision, %(at)s.", at=at))
    else:
        yield Finding(
            subject,
            "bad",
            _(
                "At revision %(at)s, the code expects %(head)s; run `marketplace migrate`.",
                at=at or "none",
                head=migrations.head(),
            ),
        )


def _disk(patient: Patient) -> Iterator[Finding]:
    folder = patient.data_dir if patient.data_dir.exists() else patient.data_dir.parent
    free = shutil.disk_usage(folder).free
    text = _("%(free)s are free in %(folder)s.", free=format_memory(free), folder=patient.data_dir)
    if free < LEAST_FREE_BYTES:
        yield Finding(_("Disk"), "warn", f"{text} {_('Models and uploads need more room.')}")
    else:
        yield Finding(_("Disk"), "good", text)


def _engine(status: EngineStatus) -> Iterator[Finding]:
    if status.ready:
        file = f" ({status.model_file})" if status.model_file else ""
        yield Finding(
            _("Engine"), "good", _("Ready with %(model)s.", model=f"{status.model}{file}")
        )
    elif status.loading:
        yield Finding(_("Engine"), "warn", _("It is loading its model."))
    else:
        yield Finding(_("Engine"), "bad", _(status.why_not or NOT_READY))
    if status.why_device:
        yield Finding(_("Device"), "good", status.why_device)
    for device in status.devices:
        if device.kind in {"gpu", "igpu"}:
            memory = _(
                "%(free)s of %(total)s were free before the model came.",
                free=format_memory(device.memory_free_bytes),
                total=format_memory(device.memory_total_bytes),
            )
            yield Finding(device.description or device.name, "good", memory)
    if status.gpu_bytes or status.ram_bytes:
        yield Finding(
            _("Model memory"),
            "good",
            _(
                "%(gpu)s on GPUs and %(ram)s in main memory, with room for %(sequences)s requests "
                "of %(context)s tokens at once.",
                gpu=format_memory(status.gpu_bytes or 0),
                ram=format_memory(status.ram_bytes or 0),
                sequences=format_number(status.max_sequences or 0),
                context=format_number(status.context or 0),
            ),
        )
    for model in status.models:
        subject = _("Model %(name)s", name=model.name)
        if model.why_not:
            yield Finding(subject, "bad", _(model.why_not))
            continue
        facts = [_(STATES[model.state]), ", ".join(model.roles) or _("no role any more")]
        if model.memory_bytes:
            facts.insert(1, format_memory(model.memory_bytes))
        yield Finding(subject, "good", " · ".join(facts))
    if status.warning:
        yield Finding(_("Speed"), "warn", status.warning)


def _sandbox(patient: Patient) -> Iterator[Finding]:
    runtime = patient.runtime()
    if runtime is None:
        yield Finding(
            _("App runtime"),
            "bad",
            _("It is not built; `marketplace serve` builds it in a minute."),
        )
    else:
        yield Finding(_("App runtime"), "good", _("Built: %(name)s.", name=runtime.name))
    status = patient.sandbox()
    if status.ready:
        ready = _("Ready, %(most)s at most at once.", most=format_number(status.max_runners or 0))
        yield Finding(_("Runners"), "good", ready)
    else:
        yield Finding(_("Runners"), "bad", _(status.why_not or NO_ANSWER))
    for wall, state in status.walls.items():
        yield Finding(
            _("Wall: %(name)s", name=wall),
            "good" if state == "up" else "warn",
            _("Up.") if state == "up" else state,
        )
