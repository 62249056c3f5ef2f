"""Jobs of the runs room."""

from marketplace.infra.jobs import Handler, JobContext
from marketplace.runs import budgets
from marketplace.runs.audit import AuditLogs
from marketplace.runs.events import EventLogs
from marketplace.runs.files import RunFiles
from marketplace.runs.settings import RunSettings

DAY_S = 24 * 3600


def handlers(
    logs: EventLogs, audits: AuditLogs, files: RunFiles, settings: RunSettings
) -> dict[str, Handler]:
    """Forgets the logs and files of runs of long ago; their output stays in the database."""

    def forget_streams(context: JobContext) -> None:
        with context.database.writing() as session:
            budgets.forget(session, now=context.now)
        logs.forget_older_than(settings.stream_days * DAY_S)
        audits.forget_older_than(settings.audit_days * DAY_S)
        files.forget_older_than(settings.file_days * DAY_S)

    return {"runs.forget_streams": forget_streams}


def schedules() -> dict[str, float]:
    """How often each job returns, in seconds."""
    return {"runs.forget_streams": 3600}
