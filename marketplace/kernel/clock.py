"""The one place that reads the wall clock."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present instant, aware, in UTC. Called only in views, jobs and the command line."""
    return datetime.now(UTC)
