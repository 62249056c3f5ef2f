"""Schedules a person switched on: who starts what, when, and what switches them off again."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from sqlmodel import select
from structlog.testing import capture_logs

from marketplace.ads.models import Offer
from marketplace.catalog.models import App, AppState
from marketplace.infra.db import Database, DatabaseBusy
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId
from marketplace.runs import service, timers
from marketplace.runs.clock import LOOK_S, Clock
from marketplace.runs.clockwork import MOST_FAILURES
from marketplace.runs.consent import ConsentNeeded
from marketplace.runs.executor import Busy
from marketplace.runs.models import Consent, Run, RunState, StopReason, Timer
from marketplace.runs.settings import RunSettings
from tests.factories.ads import make_flight
from tests.factories.runs import EVERY_PERMISSION, VAULT, Stage, stage

HOURLY = [{"action": "go", "every": "1h"}]
HOUR = timedelta(hours=1)
NOW = utc_now()


@pytest.fixture
def here(empty_database: Database, tmp_path: Path) -> Iterator[Stage]:
    with stage(empty_database, tmp_path) as made:
        yield made


@pytest.fixture
def person(here: Stage) -> AccountId:
    return here.person().id


def clock_of(here: Stage, **given: Any) -> Clock:
    return Clock(here.database, here.executor, VAULT, RunSettings(**given))


def switched_on(here: Stage, person: AccountId, app: App) -> None:
    with here.database.writing() as session:
        items = sorted(EVERY_PERMISSION)
        session.merge(Consent(person_id=person, app_id=app.id, items=items, given_at=NOW))
        session.flush()  # what is allowed is looked up
        timers.switch_on(session, app, "go", person_id=person, locale="ar", vault=VAULT, now=NOW)


def timer(here: Stage) -> Timer:
    with here.database.reading() as session:
        return session.exec(select(Timer)).one()


def runs(here: Stage) -> list[Run]:
    with here.database.reading() as session:
        return list(session.exec(select(Run).order_by(Run.created_at)).all())


def begin(session: Any, timer_id: UUID, after: timedelta, executor: str) -> Any:
    return timers.begin(
        session, timer_id, settings=RunSettings(), vault=VAULT, executor=executor, now=NOW + after
    )


def stepped(here: Stage, after: timedelta) -> int:
    """Let the clock look, and wait for what it started."""
    began = clock_of(here).step(NOW + after)
    for run in runs(here):
        here.wait(run.id)
    return began


def test_a_run_starts_at_each_beat_for_the_person_and_without_input(
    here: Stage, person: AccountId
) -> None:
    switched_on(here, person, here.app("yield ctx.user.locale", schedule=HOURLY))
    assert stepped(here, HOUR - timedelta(seconds=1)) == 0
    assert stepped(here, HOUR) == 1
    assert stepped(here, HOUR) == 0
    assert stepped(here, 2 * HOUR) == 1
    for run in runs(here):
        assert (run.person_id, run.input, run.state) == (person, {}, RunState.FINISHED)
        assert run.is_scheduled
        assert run.output[0]["text"] == "ar"


class Looks(threading.Event):
    """A `stop` that waits for nothing, and is set after so many looks."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.left = count

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout == LOOK_S
        if self.left == 0:
            self.set()
        self.left -= 1
        return self.is_set()


def test_the_clock_looks_again_whatever_came_of_the_last_time(here: Stage) -> None:
    clock, seen = clock_of(here), list[datetime]()
    comings: list[Exception | int] = [
        DatabaseBusy("Locked."),
        Busy("Full.", retry_after_s=1),
        1,
        ValueError("a bug"),
        0,
    ]

    def step(now: datetime) -> int:
        seen.append(now)
        came = comings.pop(0)
        if isinstance(came, Exception):
            raise came
        return came

    times = count(1)
    with patch.object(clock, "step", step):
        clock.run(Looks(5), now=lambda: NOW + next(times) * HOUR)
    assert comings == []
    assert seen == [NOW + n * HOUR for n in range(1, 6)]


def test_a_clock_that_is_stopped_looks_no_more(here: Stage, person: AccountId) -> None:
    switched_on(here, person, here.app(schedule=HOURLY))
    clock_of(here).run(Looks(0), now=lambda: NOW + HOUR)
    assert runs(here) == []
    clock_of(here).run(Looks(1), now=lambda: NOW + HOUR)
    assert len(runs(here)) == 1
    here.wait(runs(here)[0].id)


def test_a_schedule_that_cannot_even_be_looked_at_holds_up_no_other(
    here: Stage, person: AccountId
) -> None:
    for _ in range(2):
        switched_on(here, person, here.app(schedule=HOURLY))
    with here.database.reading() as session:
        first = timers.due(session, now=NOW + HOUR)[0]
    real = timers.begin

    def begin_others(session: Any, timer_id: UUID, **given: Any) -> Any:
        if timer_id == first:
            raise ValueError("a bug")
        return real(session, timer_id, **given)

    with patch.object(timers, "begin", begin_others):
        assert stepped(here, HOUR) == 1
    assert stepped(here, HOUR) == 1


def test_what_was_missed_is_not_made_up_for(here: Stage, person: AccountId) -> None:
    switched_on(here, person, here.app(schedule=HOURLY))
    assert stepped(here, 24.5 * HOUR) == 1
    assert stepped(here, 24.9 * HOUR) == 0
    assert timer(here).next_at == NOW + 25 * HOUR


def test_it_shows_no_advertisements(here: Stage, person: AccountId) -> None:
    app = here.app("yield ctx.ads.slot('after-result')", schedule=HOURLY, age=16)
    day = timedelta(days=1)
    with here.database.writing() as session:
        make_flight(session, starts_at=NOW - day, ends_at=NOW + day)
    assert here.perform(app, person_id=person).output != []
    switched_on(here, person, app)
    stepped(here, HOUR)
    with here.database.reading() as session:
        assert len(session.exec(select(Offer)).all()) == 1
    assert (runs(here)[-1].state, runs(here)[-1].output) == (RunState.FINISHED, [])


def test_while_one_goes_on_no_other_starts(here: Stage, person: AccountId) -> None:
    switched_on(here, person, here.app(schedule=HOURLY))
    with here.database.writing() as session:
        timer_id = timers.due(session, now=NOW + HOUR)[0]
        begun = begin(session, timer_id, HOUR, here.executor.name)
        assert begun is not None
    assert clock_of(here).step(NOW + 2 * HOUR) == 0
    here.executor.start(begun)
    here.wait(begun)
    assert stepped(here, 3 * HOUR) == 1


def test_after_kill_9_between_commit_and_start_the_run_fails_and_the_schedule_goes_on(
    here: Stage, person: AccountId
) -> None:
    switched_on(here, person, here.app(schedule=HOURLY))
    dead = "oasis-1-dead"
    here.executor._lock_path(dead).touch()
    with here.database.writing() as session:
        begin(session, timers.due(session, now=NOW + HOUR)[0], HOUR, dead)
    assert timer(here).next_at == NOW + 2 * HOUR
    here.executor.reap()
    assert [run.state for run in runs(here)] == [RunState.FAILED]
    assert stepped(here, 2 * HOUR) == 0
    assert timer(here).failures == 1
    assert stepped(here, 3 * HOUR) == 1


def test_what_fails_again_and_again_rests_and_is_then_switched_off(
    here: Stage, person: AccountId
) -> None:
    switched_on(here, person, here.app("raise ValueError('no')", schedule=HOURLY))
    for hour in range(1, 60):
        stepped(here, hour * HOUR)
    assert len(runs(here)) == MOST_FAILURES
    off = timer(here)
    assert (off.next_at, off.stopped) == (None, StopReason.FAILED)
    with here.database.reading() as session:
        [row] = timers.mine(session, person, locale="en")
    assert "failed 5 times in a row" in row.stopped


def test_a_spent_hour_skips_a_beat_and_is_no_failure(here: Stage, person: AccountId) -> None:
    app = here.app(schedule=HOURLY)
    switched_on(here, person, app)
    here.queued(app, person_id=person)
    clock = clock_of(here, at_once_per_person=1)
    assert clock.step(NOW + HOUR) == 0
    waiting = timer(here)
    assert (waiting.next_at, waiting.failures, waiting.stopped) == (NOW + 2 * HOUR, 0, None)


def test_the_clock_goes_on_whatever_goes_wrong(
    here: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, clock = threading.Event(), clock_of(here)
    failures: list[Exception] = [RuntimeError("can't start new thread"), DatabaseBusy("Busy.")]

    def step(_now: datetime) -> int:
        if failures:
            raise failures.pop()
        stop.set()
        return 0

    monkeypatch.setattr(clock, "step", step)
    monkeypatch.setattr(stop, "wait", lambda _seconds: stop.is_set())
    with capture_logs() as logged:
        clock.run(stop)
    assert [entry["event"] for entry in logged] == ["clock.failed"] * 2


def test_what_needs_its_person_switches_it_off_with_the_reason(
    here: Stage, person: AccountId
) -> None:
    app = here.app(schedule=HOURLY)
    switched_on(here, person, app)
    with here.database.writing() as session:
        session.delete(session.get_one(Consent, (person, app.id)))
    assert stepped(here, HOUR) == 0
    assert timer(here).stopped is StopReason.NOT_ALLOWED
    with pytest.raises(ConsentNeeded), here.database.writing() as session:
        timers.switch_on(session, app, "go", person_id=person, locale="en", vault=VAULT, now=NOW)


@pytest.mark.parametrize(
    ("every", "state", "reason"),
    [
        ("1m", AppState.LISTED, StopReason.CHANGED),
        ("1h", AppState.BLOCKED, StopReason.GONE),
        ("", AppState.LISTED, StopReason.GONE),
    ],
)
def test_a_new_release_may_not_run_more_often_than_was_agreed(
    here: Stage, person: AccountId, every: str, state: AppState, reason: StopReason
) -> None:
    app = here.app(schedule=HOURLY)
    switched_on(here, person, app)
    with here.database.writing() as session:
        release = session.get_one(type(here.release(app)), app.current_release_id)
        schedule = [{"action": "go", "every": every}] if every else []
        release.manifest = {**release.manifest, "schedule": schedule}
        session.get_one(App, app.id).state = state
    assert stepped(here, HOUR) == 0
    assert (timer(here).next_at, timer(here).stopped) == (None, reason)


def test_it_can_be_switched_off_and_on_again(here: Stage, person: AccountId) -> None:
    app = here.app(schedule=HOURLY)
    switched_on(here, person, app)
    with here.database.writing() as session:
        timers.switch_off(session, person, app.id, "go")
        timers.switch_off(session, person, app.id, "other")
    assert stepped(here, HOUR) == 0
    switched_on(here, person, app)
    assert stepped(here, HOUR) == 1


def test_only_what_the_app_declares_can_be_switched_on(here: Stage, person: AccountId) -> None:
    with pytest.raises(timers.NoSuchSchedule):
        switched_on(here, person, here.app())
    with pytest.raises(service.NothingToRun), here.database.writing() as session:
        timers.switch_on(
            session, here.app(), "other", person_id=person, locale="en", vault=VAULT, now=NOW
        )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (60, "every minute"),
        (900, "every 15 minutes"),
        (3600, "every hour"),
        (172_800, "every 2 days"),
    ],
)
def test_an_interval_is_said_in_its_largest_unit(seconds: int, words: str) -> None:
    assert timers.every(seconds) == words
