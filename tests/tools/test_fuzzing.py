"""`make fuzz`: its time is shared out, what is tried is counted, and a failure is not cut short."""

from itertools import count

import pytest
from hypothesis.errors import UnsatisfiedAssumption

from tests import fuzzing
from tests.fuzzing import Enough, Hours, counted


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "tried", type(fuzzing.tried)())


def test_a_property_is_tried_until_its_time_is_over() -> None:
    seconds = count(1)
    body = counted(lambda number: number, "a", until=3, clock=lambda: next(seconds))
    assert [body(number) for number in (7, 8, 9)] == [7, 8, 9]
    assert not body.is_over
    with pytest.raises(Enough):
        body(10)
    assert body.is_over
    assert fuzzing.tried == {"a": 3}


def test_what_has_failed_may_look_for_its_smallest_input() -> None:
    seconds = count(1)
    body = counted(lambda number: 1 / number, "a", until=1, clock=lambda: next(seconds))
    with pytest.raises(ZeroDivisionError):
        body(0)
    assert body(1) == 1


def test_an_input_that_does_not_fit_is_no_failure() -> None:
    seconds = count(1)

    def choosy(fits: object) -> None:
        if not fits:
            raise UnsatisfiedAssumption

    body = counted(choosy, "a", until=1, clock=lambda: next(seconds))
    with pytest.raises(UnsatisfiedAssumption):
        body(False)
    with pytest.raises(Enough):
        body(True)


def test_the_time_one_property_leaves_is_shared_by_the_others() -> None:
    hours = Hours(90, began_at=10, waiting=3)
    assert hours.until(10) == 40
    assert hours.until(20) == 20 + 40
    assert hours.until(30) == 100
    assert hours.until(200) == 200
