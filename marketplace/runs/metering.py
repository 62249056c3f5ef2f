"""Units an app counts for its person: kept with the run that used them, once it has not failed."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlmodel import Session

from marketplace.runs.models import Metered, Run
from marketplace.sandbox.ports import Refused

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
MOST_NAMES = 20
# Far above any honest use, far below what a column holds.
MOST_UNITS = 1_000_000_000


class Meter:
    """The `meter.add` operation of one run."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self.operations: dict[str, Callable[[dict[str, Any]], Any]] = {"meter.add": self._add}

    def _add(self, payload: dict[str, Any]) -> None:
        name, n = payload.get("name"), payload.get("n", 1)
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise Refused(
                "meter.name", "A meter has a name of 1 to 40 small letters, digits and dashes."
            )
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise Refused("meter.n", "`n` is a whole number from 1.")
        if name not in self.counted and len(self.counted) >= MOST_NAMES:
            raise Refused("meter.name", f"A run has at most {MOST_NAMES} meters.")
        if self.counted[name] + n > MOST_UNITS:
            raise Refused("meter.n", f"A run counts at most {MOST_UNITS} units of one thing.")
        self.counted[name] += n


def keep(session: Session, run: Run, counted: Counter[str], *, now: datetime) -> None:
    """Add what a run counted, one row a name, to the caller's transaction."""
    for name, n in sorted(counted.items()):
        session.add(
            Metered(
                run_id=run.id,
                app_id=run.app_id,
                person_id=run.person_id,
                name=name,
                n=n,
                counted_at=now,
            )
        )
