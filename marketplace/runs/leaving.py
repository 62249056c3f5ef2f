"""What a person leaves on the disk: found for their export, stopped and deleted when they go."""

from collections.abc import Iterator
from pathlib import Path

from sqlmodel import Session, select

from marketplace.infra.db import Database
from marketplace.kernel.ids import AccountId, RunId
from marketplace.runs.audit import AuditLogs
from marketplace.runs.events import EventLogs
from marketplace.runs.files import RunFiles
from marketplace.runs.models import ENDED, Run, Timer


class Traces:
    """The logs and files of a person's runs."""

    def __init__(self, logs: EventLogs, audits: AuditLogs, files: RunFiles) -> None:
        self._logs = logs
        self._audits = audits
        self._files = files

    def files(self, person_id: AccountId) -> Iterator[tuple[str, Path]]:
        """What they gave to runs and is still here: name in the export, and path."""
        for run_id, path in self._files.of_person(person_id):
            yield f"files/{run_id}/{path.name}", path

    def farewell(self, database: Database, person_id: AccountId) -> bool:
        """Switch their schedules off, stop what goes on, and delete every log and file.

        Returns: whether nothing goes on any more; only then may the rows go.
        """
        with database.writing() as session:
            for timer in session.exec(select(Timer).where(Timer.person_id == person_id)).all():
                session.delete(timer)
            runs = _runs(session, person_id)
        going = [run_id for run_id, has_ended in runs if not has_ended]
        for run_id in going:
            self._logs.ask_to_stop(run_id)
        if going:
            return False
        for run_id, _has_ended in runs:
            self._logs.forget(run_id)
            self._audits.forget(run_id)
        self._files.forget_person(person_id)
        return True


def _runs(session: Session, person_id: AccountId) -> list[tuple[RunId, bool]]:
    found = session.exec(select(Run.id, Run.state).where(Run.person_id == person_id)).all()
    return [(RunId(run_id), state in ENDED) for run_id, state in found]
