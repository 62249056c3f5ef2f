"""A release moves only along its road, and versions compare as numbers."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from marketplace.catalog.models import NEXT_STATES, IllegalMove, Release, ReleaseState, number_of
from marketplace.kernel.ids import AccountId, AppId, new_id
from marketplace.kernel.money import Money
from tests.factories.catalog import make_app, make_product, make_release

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAIRS = [(state, target) for state in ReleaseState for target in ReleaseState]


def in_state(state: ReleaseState) -> Release:
    return Release(
        app_id=AppId(new_id()),
        publisher_id=AccountId(new_id()),
        version="1.0.0",
        bundle_key="0" * 64,
        bundle_bytes=1,
        state=state,
        state_changed_at=NOON,
        created_at=NOON,
    )


@pytest.mark.parametrize(("state", "target"), PAIRS)
def test_a_release_moves_where_the_table_allows_and_nowhere_else(
    state: ReleaseState, target: ReleaseState
) -> None:
    release, later = in_state(state), NOON + timedelta(hours=1)
    if target in NEXT_STATES[state]:
        release.move_to(target, now=later)
        assert (release.state, release.state_changed_at) == (target, later)
        return
    with pytest.raises(IllegalMove, match=f"that is {state} cannot become {target}"):
        release.move_to(target, now=later)
    assert (release.state, release.state_changed_at) == (state, NOON)


def test_no_state_leads_back_once_it_is_decided() -> None:
    assert NEXT_STATES[ReleaseState.PUBLISHED] == NEXT_STATES[ReleaseState.REJECTED] == frozenset()


NUMBERS = st.tuples(*[st.integers(0, 999_999)] * 3)


@given(NUMBERS, NUMBERS)
def test_versions_compare_as_their_numbers_do(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    texts = [".".join(map(str, each)) for each in (one, other)]
    assert (number_of(texts[0]) < number_of(texts[1])) == (one < other)


def test_one_version_of_an_app_exists_once(session: Session) -> None:
    app = make_app(session)
    make_release(session, app=app, version="1.0.0")
    with pytest.raises(IntegrityError), session.begin_nested():
        make_release(session, app=app, version="1.0.0")


def test_an_ident_exists_once(session: Session) -> None:
    make_app(session, ident="tests.once")
    with pytest.raises(IntegrityError), session.begin_nested():
        make_app(session, ident="tests.once")


@pytest.mark.parametrize("price_micros", [0, -1])
def test_nothing_is_sold_for_nothing(session: Session, price_micros: int) -> None:
    app = make_app(session)
    with pytest.raises(IntegrityError), session.begin_nested():
        make_product(session, app, price_micros=price_micros)


def test_a_product_knows_its_price(session: Session) -> None:
    assert make_product(session, make_app(session)).price == Money(4_990_000, "USD")
