"""Which releases are prepared ahead: never beyond the room, the busiest first, the idle not."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from marketplace.sandbox.hotness import (
    COLD,
    HALF_LIFE_S,
    HOT,
    MOST_KNOWN,
    Hotness,
    Room,
    divided,
    surplus,
)

NAMES = st.sampled_from("abcdefgh")
HEATS = st.dictionaries(NAMES, st.floats(COLD, 1e6))
ROOMS = st.builds(Room, st.integers(0, 12), st.integers(0, 100))
# Seconds since the run before, and the release that ran.
RUNS = st.lists(st.tuples(st.floats(0, 200), NAMES), max_size=60)
WIDE = Room(100, 100 * 2**30)


def after(runs: list[tuple[float, str]], room: Room = WIDE) -> tuple[Hotness, float]:
    """What is known after these runs, and the time."""
    hotness, now = Hotness(room), 0.0
    for pause_s, release in runs:
        now += pause_s
        hotness.ran(release, now=now)
    return hotness, now


@given(HEATS, ROOMS, st.data())
def test_the_room_is_never_exceeded_and_never_left_empty(
    heats: dict[str, float], room: Room, data: st.DataObject
) -> None:
    sizes = {each: data.draw(st.integers(1, 40), label=each) for each in heats}
    given_ = divided(heats, sizes, room)
    taken = sum(sizes[each] * count for each, count in given_.items())
    assert sum(given_.values()) <= room.instances
    assert taken <= room.memory_bytes
    if sum(given_.values()) < room.instances:
        assert all(size > room.memory_bytes - taken for size in sizes.values())


@given(HEATS, st.integers(0, 12))
def test_what_runs_more_never_has_fewer(heats: dict[str, float], instances: int) -> None:
    given_ = divided(heats, dict.fromkeys(heats, 1), Room(instances, 100))
    for one, other in permutations(heats, 2):
        if heats[one] > heats[other]:
            assert given_.get(one, 0) >= given_.get(other, 0)


@given(RUNS, st.integers(0, 12))
def test_only_what_ran_thrice_is_prepared_and_only_while_it_is_warm(
    runs: list[tuple[float, str]], instances: int
) -> None:
    hotness, now = after(runs, Room(instances, 2**40))
    wanted = hotness.wanted(now=now)
    for release in wanted:
        ages = [now - at for at, each in _dated(runs) if each == release]
        assert len(ages) >= HOT
        assert sum(0.5 ** (age / HALF_LIFE_S) for age in ages) >= COLD - 1e-9
    assert hotness.wanted(now=now + 30 * HALF_LIFE_S) == {}


def _dated(runs: list[tuple[float, str]]) -> list[tuple[float, str]]:
    now, dated = 0.0, []
    for pause_s, release in runs:
        now += pause_s
        dated.append((now, release))
    return dated


def test_three_runs_in_a_row_make_a_release_hot_and_one_every_half_minute_keeps_it_so() -> None:
    hotness, now = after([(0, "a"), (1, "a")])
    assert hotness.wanted(now=now) == {}
    hotness.ran("a", now=now)
    for _ in range(20):
        assert hotness.wanted(now=now)["a"] > 0
        now += 30
        hotness.ran("a", now=now)
    assert hotness.wanted(now=now + 3 * HALF_LIFE_S) == {}


def test_a_release_that_is_asked_about_between_its_runs_becomes_hot_all_the_same() -> None:
    hotness = Hotness(WIDE)
    for second in range(3):
        assert hotness.wanted(now=second) == {}
        hotness.ran("a", now=second)
    assert hotness.wanted(now=2)["a"] > 0


@given(RUNS, NAMES)
def test_what_is_unfit_is_not_wanted_until_it_has_been_forgotten(
    runs: list[tuple[float, str]], barred: str
) -> None:
    hotness, now = after(runs)
    hotness.bar(barred)
    for _ in range(3):
        hotness.ran(barred, now=now)
    was_known = any(each == barred for _, each in runs)
    assert (barred in hotness.wanted(now=now)) == (not was_known)
    # Cold enough to be forgotten, whatever its heat was.
    later = now + HALF_LIFE_S * 20
    assert hotness.wanted(now=later) == {}
    for _ in range(3):
        hotness.ran(barred, now=later)
    assert barred in hotness.wanted(now=later)


def test_no_more_than_so_many_releases_are_remembered_and_the_hottest_stay() -> None:
    hotness, now = after([(0, "hot")] * 5)
    for number in range(MOST_KNOWN * 3):
        hotness.ran(str(number), now=now)
        assert len(hotness._known) <= MOST_KNOWN
    assert list(hotness.wanted(now=now)) == ["hot"]
    hotness.wanted(now=now + HALF_LIFE_S * 20)
    assert hotness._known == {}


def test_instances_that_turn_out_large_are_fewer() -> None:
    hotness, now = after([(0, "a")] * 100, Room(4, 40))
    hotness.measured("a", 15)
    assert hotness.wanted(now=now) == {"a": 2}
    hotness.measured("a", 41)
    assert hotness.wanted(now=now) == {}


@given(st.lists(NAMES, max_size=12), st.dictionaries(NAMES, st.integers(0, 4)))
def test_surplus_leaves_exactly_what_is_wanted_or_what_there_is(
    have: list[str], wanted: dict[str, int]
) -> None:
    gone = surplus(have, wanted)
    left = [release for place, release in enumerate(have) if place not in gone]
    for release in "abcdefgh":
        assert left.count(release) == min(have.count(release), wanted.get(release, 0))
