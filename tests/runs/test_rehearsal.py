"""The store runs an app's own samples: what it notes, and what it leaves behind."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlmodel import select

from marketplace.ads.models import Offer
from marketplace.catalog.models import App, Cost, Release, Use
from marketplace.inference.fake import FakeInference
from marketplace.infra.blobs import BlobNotFound, Blobs
from marketplace.infra.db import Database
from marketplace.infra.egress import Egress, EgressSettings
from marketplace.kernel.ids import ReleaseId, new_id
from marketplace.runs import rehearsal
from marketplace.runs.models import KvEntry, Run
from marketplace.runs.rehearsal import (
    FIRST_REST,
    LONGEST_REST,
    SHARE,
    Patience,
    Stage,
    keep_measuring,
    measure_next,
)
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.fake import FakeSandbox
from marketplace.sandbox.settings import SandboxSettings
from tests.factories.ads import make_flight
from tests.factories.catalog import NOON
from tests.factories.publishing import bundle_bytes
from tests.factories.runs import EVERY_PERMISSION, make_runnable

HARMLESS = tuple(name for name in EVERY_PERMISSION if name != "kv.app")
SAMPLES = """[[case]]
action = "go"
input = { text = "salam" }
expect_contains = "Hello"

[[case]]
action = "go"
input = { text = "again" }
expect_contains = "salam"

[[case]]
action = "go"
input = {}
files = { notes = "notes.md" }
"""
ANSWER = """
ctx.kv.user.set('last', text)
yield ctx.ads.slot('after-result')
yield f'{text}: '
yield from ctx.llm.stream('hello there')
"""


@pytest.fixture
def stage(empty_database: Database, tmp_path: Path) -> Stage:
    return Stage(
        database=empty_database,
        sandbox=FakeSandbox(),
        inference=FakeInference(),
        blobs=Blobs(tmp_path / "blobs"),
        egress=Egress(EgressSettings()),
        settings=RunSettings(),
        sandbox_settings=SandboxSettings(),
    )


@pytest.fixture
def app(stage: Stage) -> Callable[..., App]:
    """Makes a listed app whose bundle has two samples that need nothing else."""

    def make(body: str = ANSWER, *, permissions: tuple[str, ...] = HARMLESS, **given: Any) -> App:
        with stage.database.writing() as session:
            made = make_runnable(session, stage.blobs, body, permissions=permissions, **given)
            release = session.exec(select(Release).where(Release.app_id == made.id)).one()
            release.bundle_key = stage.blobs.put(
                bundle_bytes({"evals/first.toml": SAMPLES, "evals/notes.md": "Tea"})
            )
            make_flight(session)
            return made

    return make


def measured(stage: Stage) -> ReleaseId | None:
    return measure_next(stage, Event(), Patience(), now=NOON)


def costs(stage: Stage) -> list[Cost]:
    with stage.database.reading() as session:
        return list(session.exec(select(Cost)).all())


def test_samples_are_run_once_a_release_and_model_and_noted(
    stage: Stage, app: Callable[..., App]
) -> None:
    made = app()
    assert measured(stage) == made.current_release_id
    [cost] = costs(stage)
    assert (cost.samples, cost.passed, cost.model) == (2, 1, "Fake")
    assert (cost.prompt_tokens, cost.generated_tokens) == (2, 2)
    assert cost.first_ms is not None
    assert cost.first_ms <= cost.total_ms + 1000
    assert measured(stage) is None


def test_nobody_is_counted_shown_an_advertisement_or_remembered(
    stage: Stage, app: Callable[..., App]
) -> None:
    app()
    measured(stage)
    with stage.database.reading() as session:
        for table in (Run, Use, Offer, KvEntry):
            assert session.exec(select(table)).all() == [], table


def test_an_app_that_breaks_has_samples_and_no_figures(
    stage: Stage, app: Callable[..., App]
) -> None:
    app("raise ValueError('no camel')")
    measured(stage)
    [cost] = costs(stage)
    assert (cost.samples, cost.passed, cost.total_ms) == (2, 0, 0)


def test_what_would_leave_something_behind_is_not_run(
    stage: Stage, app: Callable[..., App]
) -> None:
    app(permissions=EVERY_PERMISSION)
    assert measured(stage) is not None
    assert [cost.samples for cost in costs(stage)] == [0]
    assert isinstance(stage.inference, FakeInference)
    assert stage.inference.asked == []


def test_without_a_model_nothing_is_noted(stage: Stage, app: Callable[..., App]) -> None:
    app()
    away = Stage(**{**vars(stage), "inference": FakeInference(why_not="No model is loaded.")})
    assert measured(away) is None
    assert costs(stage) == []


def test_a_store_that_closes_stops_the_sample_and_notes_nothing(
    stage: Stage, app: Callable[..., App]
) -> None:
    app()
    closing = Event()
    closing.set()
    assert measure_next(stage, closing, Patience(), now=NOON) is None
    assert costs(stage) == []


def test_one_release_that_cannot_be_read_does_not_end_the_measuring(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "SETTLE_S", 0.0)
    monkeypatch.setattr(rehearsal, "PAUSE_S", 0.0)
    looks = iter([FileNotFoundError("its bundle"), None])
    closing = Event()

    def look(_stage: Stage, _stop: Event, _patience: Patience, *, now: datetime) -> None:
        assert now == NOON
        if error := next(looks):
            raise error
        closing.set()

    monkeypatch.setattr(rehearsal, "measure_next", look)
    keep_measuring(stage, closing, now=lambda: NOON)
    assert next(looks, "looked twice") == "looked twice"


def test_people_who_wait_go_before_a_sample(stage: Stage, app: Callable[..., App]) -> None:
    app()
    measured(stage)
    assert isinstance(stage.inference, FakeInference)
    assert {asked.weight for asked in stage.inference.asked} == {SHARE}


def test_a_release_that_cannot_be_read_rests_and_holds_up_no_other(
    stage: Stage, app: Callable[..., App]
) -> None:
    lost, sound = app(score=9.0), app(score=1.0)
    with stage.database.writing() as session:
        session.get_one(Release, lost.current_release_id).bundle_key = "0" * 64
    patience = Patience()

    def look(after: timedelta) -> ReleaseId | None:
        return measure_next(stage, Event(), patience, now=NOON + after)

    with pytest.raises(BlobNotFound):
        look(timedelta())
    assert look(timedelta()) == sound.current_release_id
    assert look(FIRST_REST - timedelta(seconds=1)) is None
    with pytest.raises(BlobNotFound):
        look(FIRST_REST)


def test_patience_doubles_to_a_day() -> None:
    patience, release, now = Patience(), ReleaseId(new_id()), NOON
    rests = []
    for _ in range(60):
        patience.lose(release, now=now)
        assert patience.resting(now=now) == [release]
        began = now
        while patience.resting(now=now):
            now += FIRST_REST
        rests.append(now - began)
    assert rests[:3] == [FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST]
    assert rests[-1] == LONGEST_REST
