"""Columns: instants keep their zone, states are stored as their values and checked."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from marketplace.infra.jobs import Job, JobState

RIYADH = timezone(timedelta(hours=3))


def test_an_instant_of_any_zone_comes_back_as_the_same_in_utc(session: Session) -> None:
    there = datetime(2026, 3, 1, 15, 30, 0, 123456, tzinfo=RIYADH)
    session.add(Job(name="tests.zone", run_at=there, created_at=there))
    session.flush()  # it must go through the column and back
    session.expire_all()
    job = session.exec(select(Job)).one()
    assert job.run_at == there
    assert job.run_at.tzinfo is UTC
    assert job.finished_at is None


def test_a_state_is_stored_as_its_value_and_no_other_is_taken(session: Session) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    session.add(Job(name="tests.state", run_at=now, created_at=now, state=JobState.RUNNING))
    session.flush()  # the next line reads the table itself
    assert session.connection().scalar(text("SELECT state FROM infra_job")) == "running"
    with pytest.raises(DBAPIError):
        session.connection().execute(text("UPDATE infra_job SET state = 'lost'"))
