"""A person takes their data away: asked for, made by the worker, fetched, forgotten."""

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlmodel import Session, col, delete, select

from marketplace.accounts import archive
from marketplace.accounts.archive import Files
from marketplace.accounts.credentials import fingerprint
from marketplace.accounts.models import AccountSession, DataExport, ExportState
from marketplace.infra import jobs
from marketplace.infra.db import Database
from marketplace.kernel.errors import NotFound
from marketplace.kernel.ids import AccountId
from marketplace.web.i18n import gettext as _

LIFE = timedelta(days=1)
MAKE = "accounts.make_export"


class NoExport(NotFound):
    """There is no file for this browser, or not any more."""


def ask(session: Session, account_id: AccountId, *, secret: str, now: datetime) -> DataExport:
    """Have everything of a person written into a file; an earlier one is forgotten.

    Args:
        secret: of the browser that asks; no other one gets the file.
    Effects: the job that writes it.
    """
    session.exec(delete(DataExport).where(col(DataExport.account_id) == account_id))
    asked = DataExport(
        account_id=account_id,
        session_id=_session_id(session, account_id, secret),
        asked_at=now,
        expires_at=now + LIFE,
    )
    session.add(asked)
    jobs.enqueue(session, MAKE, export_id=str(asked.id))
    return asked


def present(
    session: Session, account_id: AccountId, *, secret: str, now: datetime
) -> DataExport | None:
    """What this browser asked for, while it is kept."""
    return session.exec(
        select(DataExport).where(
            DataExport.account_id == account_id,
            DataExport.session_id == _session_id(session, account_id, secret),
            col(DataExport.expires_at) > now,
        )
    ).first()


def finished(session: Session, account_id: AccountId, *, secret: str, now: datetime) -> DataExport:
    """The file that this browser asked for, once it is whole. Raises: NoExport."""
    found = present(session, account_id, secret=secret, now=now)
    if found is None or found.state is not ExportState.READY:
        raise NoExport(
            _(
                "There is no file for this browser. Ask for it again in your settings; it is kept"
                " for a day."
            )
        )
    return found


def _session_id(session: Session, account_id: AccountId, secret: str) -> UUID:
    wanted = select(AccountSession.id).where(
        AccountSession.account_id == account_id, AccountSession.secret_hash == fingerprint(secret)
    )
    return session.exec(wanted).one()


class Exports:
    """The folder of people's files.

    Args:
        files: what else a person has here, such as what they gave to runs.
    """

    def __init__(self, folder: Path, files: Files) -> None:
        self._folder = folder
        self._files = files

    def path(self, export_id: UUID) -> Path:
        """Where a finished file lies."""
        return self._folder / f"{export_id}.zip"

    def make(self, database: Database, export_id: UUID, *, now: datetime) -> None:
        """Write a file that was asked for; nothing happens when nobody wants it any more.

        Effects: how far it is, table by table, and its end.
        """

        def tell(**values: object) -> None:
            with database.writing() as session:
                if (row := session.get(DataExport, export_id)) is not None:
                    row.sqlmodel_update(values)

        with database.reading() as session:
            asked = session.get(DataExport, export_id)
        if asked is None:
            return
        target = self.path(export_id)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with database.reading() as session:
                archive.write(
                    session,
                    target,
                    asked.account_id,
                    self._files,
                    now=now,
                    told=lambda done, total: tell(done=done, total=total),
                )
        except Exception:
            tell(state=ExportState.FAILED)
            raise
        tell(state=ExportState.READY, file_bytes=target.stat().st_size)

    def forget(self, database: Database, *, now: datetime) -> int:
        """Delete what is a day old, and files that nobody's row names. Returns: how many files."""
        with database.writing() as session:
            session.exec(delete(DataExport).where(col(DataExport.expires_at) <= now))
            kept = {str(each) for each in session.exec(select(DataExport.id)).all()}
        gone = [file for file in self._folder.glob("*") if file.stem not in kept]
        for file in gone:
            file.unlink(missing_ok=True)
        return len(gone)
