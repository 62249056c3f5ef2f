"""Reads of the operator's desk, over the tables of the rooms below."""

from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, SQLModel, col, select

from marketplace.accounts.models import Account
from marketplace.admin.doctor import Patient, examine
from marketplace.admin.pages import FailedJob, Overview
from marketplace.catalog.models import App, Release, ReleaseState
from marketplace.infra.jobs import Job, JobState
from marketplace.runs import queries as runs
from marketplace.runs.models import Run

FAILED_SHOWN = 10


def _count(session: Session, model: type[SQLModel]) -> int:
    return session.exec(select(func.count()).select_from(model)).one()


def overview(session: Session, patient: Patient, *, now: datetime) -> Overview:
    """The store as it is at `now` (aware UTC); asks the engine and the runners too."""
    jobs = session.exec(select(Job.state, func.count()).group_by(col(Job.state))).all()
    failed = session.exec(
        select(Job)
        .where(Job.state == JobState.FAILED)
        .order_by(col(Job.created_at).desc())
        .limit(FAILED_SHOWN)
    ).all()
    return Overview(
        engine=patient.engine(),
        sandbox=patient.sandbox(),
        runs_going=runs.going(session),
        runs_today=session.exec(
            select(func.count()).select_from(Run).where(Run.created_at > now - timedelta(days=1))
        ).one(),
        waiting_reviews=session.exec(
            select(func.count()).select_from(Release).where(Release.state == ReleaseState.IN_REVIEW)
        ).one(),
        people=_count(session, Account),
        apps=_count(session, App),
        jobs={str(state): count for state, count in jobs},
        failed_jobs=[
            FailedJob(job.name, job.error or "", job.attempts, job.created_at) for job in failed
        ],
        findings=examine(patient),
    )
