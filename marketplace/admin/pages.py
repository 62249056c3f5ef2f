"""What each page of the operator's desk shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from marketplace.admin.doctor import Finding
from marketplace.inference.ports import EngineStatus
from marketplace.sandbox.ports import SandboxStatus


@dataclass(frozen=True)
class FailedJob:
    """A job that was given up."""

    name: str
    error: str
    attempts: int
    created_at: datetime


@dataclass(frozen=True)
class Overview:
    """The whole store at a glance.

    Args:
        jobs: state → how many jobs.
        waiting_reviews: releases that wait for a person.
    """

    engine: EngineStatus
    sandbox: SandboxStatus
    runs_going: int
    runs_today: int
    waiting_reviews: int
    people: int
    apps: int
    jobs: Mapping[str, int]
    failed_jobs: Sequence[FailedJob]
    findings: Sequence[Finding]
