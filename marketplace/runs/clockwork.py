"""When a schedule is due next, and what becomes of one whose runs fail. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MOST_FAILURES = 5
LONGEST_PAUSE_S = 86_400


class Last(StrEnum):
    """What became of the run that a schedule started last; NONE where that was counted already."""

    NONE = "none"
    GOING = "going"
    WELL = "well"
    FAILED = "failed"


@dataclass(frozen=True)
class Tick:
    """What to do with a schedule that is due.

    Args:
        starts: whether a run begins now.
        next_at: when it is due again; None: it is switched off.
        failures: how many runs in a row have failed.
    """

    starts: bool
    next_at: datetime | None
    failures: int


def next_beat(due_at: datetime, every_s: int, now: datetime) -> datetime:
    """The first beat after `now`: those that were missed are not made up for.

    Due at 9:00 every hour and looked at at 11:20, it is next due at 12:00.
    """
    every = timedelta(seconds=every_s)
    return due_at + every * max(1, (now - due_at) // every + 1)


def tick(due_at: datetime, every_s: int, failures: int, last: Last, now: datetime) -> Tick:
    """What to do with a schedule that was due at `due_at`.

    A run that still goes on is left alone. After a failure one beat passes without a run, after
    the second in a row three, then seven, at most a day and a beat; the fifth switches it off.
    """
    if last is Last.GOING:
        return Tick(False, next_beat(due_at, every_s, now), failures)
    if last is Last.FAILED:
        failures += 1
        if failures >= MOST_FAILURES:
            return Tick(False, None, failures)
        pause_s = min(every_s * (2**failures - 2), LONGEST_PAUSE_S)
        later = now + timedelta(seconds=pause_s)
        return Tick(False, next_beat(due_at, every_s, later), failures)
    return Tick(True, next_beat(due_at, every_s, now), 0 if last is Last.WELL else failures)
