"""Apps take turns at being prepared."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.lines import Lines

APPS = st.sampled_from("abcd")
MOST = 5


def test_one_question_comes_second_beside_a_flood() -> None:
    lines: Lines[str] = Lines()
    for number in range(64):
        assert lines.put("flood", number, "x", most=64)
    assert not lines.put("flood", 64, "x", most=64)
    assert lines.put("light", "question", "y", most=64)
    assert lines.take() == (0, "x")
    assert lines.take() == ("question", "y")
    assert lines.take() == (1, "x")


def test_what_is_pulled_out_leaves_no_turn_behind() -> None:
    lines: Lines[str] = Lines()
    lines.put("a", 1, "x", most=MOST)
    lines.put("b", 2, "y", most=MOST)
    assert lines.pull(1) == "x"
    assert lines.pull(1) is None
    assert lines.take() == (2, "y")
    assert lines.take() is None


@given(st.lists(st.one_of(APPS.map(lambda app: ("put", app)), st.just(("take", "")))))
def test_each_app_keeps_its_order_and_waits_for_one_turn_of_every_other(
    moves: list[tuple[str, str]],
) -> None:
    lines: Lines[str] = Lines()
    waiting: dict[str, list[int]] = {app: [] for app in "abcd"}
    passed: Counter[str] = Counter()
    for number, (move, app) in enumerate(moves):
        if move == "put":
            has_room = lines.put(app, number, app, most=MOST)
            assert has_room == (len(waiting[app]) < MOST)
            waiting[app] += [number] if has_room else []
            continue
        taken = lines.take()
        assert (taken is None) == (not any(waiting.values()))
        if taken is not None:
            key, whose = taken
            assert key == waiting[whose].pop(0)
            passed[whose] = 0
            for other, line in waiting.items():
                passed[other] = passed[other] + 1 if line and other != whose else 0
                assert passed[other] < len(waiting)
