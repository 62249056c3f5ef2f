"""The matrix of what apps mean: newer rows in the place of older ones, and what is near."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.catalog import vectors
from marketplace.catalog.vectors import Vectors, joined
from marketplace.kernel.ids import AppId, new_id

ONE, TWO, THREE = (AppId(new_id()) for _ in range(3))
# What has nothing to do with any query: a mean needs a crowd.
CROWD = [(AppId(new_id()), "en", "m", struct.pack("<3f", 0, 0, 1)) for _ in range(6)]


def row(app_id: AppId, *numbers: float, locale: str = "en", model: str = "m") -> vectors.type_row:
    return app_id, locale, model, struct.pack(f"<{len(numbers)}f", *numbers)


def of(*rows: vectors.type_row, old: Vectors | None = None) -> Vectors:
    found = joined(old, rows)
    assert found is not None
    return found


def test_the_nearest_language_of_an_app_counts() -> None:
    found = of(*CROWD, row(ONE, 0.6, 0.8, 0), row(ONE, 1, 0, 0, locale="ar"), row(TWO, 0, 1, 0))
    assert found.near((1, 0, 0)) == {ONE: pytest.approx(1.0)}
    assert set(found.near((0, 1, 0))) == {ONE, TWO}


def test_newer_rows_take_the_place_of_older_ones() -> None:
    old = of(*CROWD, row(ONE, 1, 0, 0), row(TWO, 0, 1, 0))
    new = of(row(ONE, 0, 1, 0), row(THREE, 1, 0, 0), old=old)
    assert set(new.near((1, 0, 0))) == {THREE}
    assert set(new.near((0, 1, 0))) == {ONE, TWO}
    assert joined(new, []) is new


@pytest.mark.parametrize("newest", [row(ONE, 1, 0, 0, model="n"), row(ONE, 1, 0)])
def test_rows_of_another_model_or_size_go(newest: vectors.type_row) -> None:
    old = of(*CROWD, row(TWO, 0, 1, 0))
    assert of(row(TWO, 0, 1, 0), newest, old=old).keys == [(ONE, "en")]


def test_a_query_of_another_size_is_near_to_nothing() -> None:
    assert of(*CROWD).near((1, 0)) == {}


NUMBERS = st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3)


@given(st.lists(NUMBERS, min_size=1, max_size=150), NUMBERS)
def test_what_is_near_is_some_apps_and_0_to_1(
    matrix: list[list[float]], query: list[float]
) -> None:
    found = of(*(row(AppId(new_id()), *numbers) for numbers in matrix))
    near = found.near(query)
    assert len(near) <= vectors.MOST_NEAR
    assert set(near) <= {app_id for app_id, _locale in found.keys}
    assert all(0 < value <= 1 for value in near.values())
