"""The engine hears of releases that are gone, when it is there to hear it."""

from pathlib import Path

from marketplace.inference import jobs
from marketplace.inference.client import EngineClient
from marketplace.inference.fake import FakeInference
from marketplace.infra.db import Database
from marketplace.infra.jobs import JobContext
from marketplace.kernel.clock import utc_now

GONE = {"release": "tests.echo@1.0.0"}


def test_the_job_names_the_release(empty_database: Database) -> None:
    inference = FakeInference()
    handler = jobs.handlers(inference)[jobs.FORGET_RELEASE]
    handler(JobContext(empty_database, GONE, utc_now()))
    assert inference.forgotten == ["tests.echo@1.0.0"]


def test_an_engine_that_is_not_there_keeps_nothing(
    empty_database: Database, tmp_path: Path
) -> None:
    handler = jobs.handlers(EngineClient(tmp_path / "engine.sock"))[jobs.FORGET_RELEASE]
    handler(JobContext(empty_database, GONE, utc_now()))
