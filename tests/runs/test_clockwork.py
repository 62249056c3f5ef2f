"""Schedules as arithmetic: nothing piles up, nothing starts twice, what fails rests."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from marketplace.runs.clockwork import LONGEST_PAUSE_S, MOST_FAILURES, Last, next_beat, tick

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
EVERY = st.integers(60, 90 * 86_400)
LATE = st.timedeltas(timedelta(0), timedelta(days=400))
FAILURES = st.integers(0, MOST_FAILURES - 1)


def test_the_beats_that_were_missed_are_not_made_up_for() -> None:
    assert next_beat(NINE, 3600, NINE + timedelta(hours=2, minutes=20)) == NINE + timedelta(hours=3)


@given(EVERY, LATE, FAILURES, st.sampled_from(Last))
def test_the_next_time_is_a_beat_that_is_still_to_come_and_not_far(
    every_s: int, late: timedelta, failures: int, last: Last
) -> None:
    now = NINE + late
    found = tick(NINE, every_s, failures, last, now)
    if found.next_at is None:
        assert (last, failures, found.starts) == (Last.FAILED, MOST_FAILURES - 1, False)
        return
    every = timedelta(seconds=every_s)
    pause = timedelta(seconds=LONGEST_PAUSE_S if last is Last.FAILED else 0)
    assert (found.next_at - NINE) % every == timedelta(0)
    assert now < found.next_at <= now + every + pause


@given(EVERY, LATE, FAILURES)
def test_a_run_starts_only_where_none_goes_on_and_none_just_failed(
    every_s: int, late: timedelta, failures: int
) -> None:
    now = NINE + late
    found = {last: tick(NINE, every_s, failures, last, now) for last in Last}
    assert [last for last in Last if found[last].starts] == [Last.NONE, Last.WELL]
    assert found[Last.WELL].failures == 0
    assert found[Last.NONE].failures == found[Last.GOING].failures == failures
    assert found[Last.FAILED].failures == failures + 1


@given(EVERY, st.lists(st.timedeltas(timedelta(0), timedelta(days=2)), max_size=30))
def test_what_always_fails_runs_ever_less_often_and_then_no_more(
    every_s: int, naps: list[timedelta]
) -> None:
    due, failures, last, now = NINE, 0, Last.NONE, NINE
    starts: list[datetime] = []
    for nap in naps:
        now = max(now + nap, due)
        found = tick(due, every_s, failures, last, now)
        failures = found.failures
        last = Last.FAILED if found.starts else Last.NONE
        starts += [now] if found.starts else []
        if found.next_at is None:
            break
        due = found.next_at
    assert len(starts) <= MOST_FAILURES
    pauses = [after - before for before, after in pairwise(starts)]
    assert all(pause >= timedelta(seconds=every_s) for pause in pauses)
