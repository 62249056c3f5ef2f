"""Flights are shown where and when they asked for, and never to younger children."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from marketplace.ads import targeting
from marketplace.ads.targeting import Place, Target

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ANYWHERE = Target(frozenset(), frozenset(), NOON, NOON + DAY)
WRITING = Place(category="writing", locale="en", age=16)


def test_a_flight_that_asks_for_nothing_is_shown_anywhere() -> None:
    assert targeting.matches(ANYWHERE, WRITING, now=NOON)


@pytest.mark.parametrize(
    ("categories", "locales", "place", "is_shown"),
    [
        ({"writing"}, set(), WRITING, True),
        ({"fun"}, set(), WRITING, False),
        (set(), {"ar"}, WRITING, False),
        (set(), {"ar"}, replace(WRITING, locale="ar-EG"), True),
        (set(), {"ar"}, replace(WRITING, locale="AR_eg"), True),
        ({"writing"}, {"ar", "en"}, WRITING, True),
    ],
)
def test_a_flight_is_shown_only_where_it_asked(
    categories: set[str], locales: set[str], place: Place, *, is_shown: bool
) -> None:
    target = replace(ANYWHERE, categories=frozenset(categories), locales=frozenset(locales))
    assert targeting.matches(target, place, now=NOON) is is_shown


@pytest.mark.parametrize(
    ("now", "is_shown"),
    [
        (NOON - timedelta(seconds=1), False),
        (NOON, True),
        (NOON + DAY - timedelta(seconds=1), True),
        (NOON + DAY, False),
    ],
)
def test_a_flight_is_shown_from_its_start_until_before_its_end(
    now: datetime, *, is_shown: bool
) -> None:
    assert targeting.matches(ANYWHERE, WRITING, now=now) is is_shown


@pytest.mark.parametrize(("age", "is_shown"), [(3, False), (7, False), (12, False), (13, True)])
def test_apps_for_younger_children_never_advertise(age: int, *, is_shown: bool) -> None:
    assert targeting.matches(ANYWHERE, replace(WRITING, age=age), now=NOON) is is_shown
