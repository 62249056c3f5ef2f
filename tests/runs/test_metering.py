"""Metering: units add up, odd ones are refused, and a run that failed counts nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from marketplace.infra.db import Database
from marketplace.runs.metering import MOST_NAMES, MOST_UNITS, Meter
from marketplace.runs.models import Metered, RunState
from marketplace.sandbox.ports import Refused
from tests.factories.runs import Stage, stage

COUNTS = "ctx.meter('pages', 2)\nctx.meter('pages')\nctx.meter('words', 40)\n"


@pytest.fixture
def here(empty_database: Database, tmp_path: Path) -> Iterator[Stage]:
    with stage(empty_database, tmp_path) as made:
        yield made


def rows(here: Stage) -> dict[str, int]:
    with here.database.reading() as session:
        return {row.name: row.n for row in session.exec(select(Metered)).all()}


def test_what_a_run_counted_is_kept_with_it(here: Stage) -> None:
    run = here.perform(here.app(COUNTS, permissions=("billing.meter",)))
    assert (run.state, rows(here)) == (RunState.FINISHED, {"pages": 3, "words": 40})
    assert run.permissions_used == ["billing.meter"]


def test_a_run_that_failed_counts_nothing(here: Stage) -> None:
    run = here.perform(here.app(f"{COUNTS}1 / 0", permissions=("billing.meter",)))
    assert (run.state, rows(here)) == (RunState.FAILED, {})


def test_it_needs_its_permission(here: Stage) -> None:
    run = here.perform(here.app(COUNTS, permissions=("kv.user",)))
    assert (run.error_rule, rows(here)) == ("permission.billing.meter", {})


@pytest.mark.parametrize(
    "given",
    [{}, {"name": "Pages"}, {"name": "a" * 41}, {"name": "a", "n": 0}, {"name": "a", "n": True},
     {"name": "a", "n": 1.5}, {"name": "a", "n": MOST_UNITS + 1}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(given: dict[str, Any]) -> None:
    meter = Meter()
    with pytest.raises(Refused):
        meter.operations["meter.add"](given)
    assert not +meter.counted


def test_a_run_has_only_so_many_meters() -> None:
    meter = Meter()
    for number in range(MOST_NAMES):
        meter.operations["meter.add"]({"name": f"m{number}"})
    with pytest.raises(Refused, match="at most"):
        meter.operations["meter.add"]({"name": "one-more"})
    meter.operations["meter.add"]({"name": "m0"})
    assert meter.counted["m0"] == 2
