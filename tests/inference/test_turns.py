"""Apps take turns at being prepared."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.turns import Turns

APPS = st.sampled_from("abcd")


def test_one_question_comes_second_beside_a_flood() -> None:
    turns: Turns[str] = Turns()
    for number in range(64):
        turns.put("flood", number, "x")
    turns.put("light", "question", "y")
    assert turns.take() == (0, "x")
    assert turns.take() == ("question", "y")
    assert turns.take() == (1, "x")


def test_what_is_pulled_out_leaves_no_turn_behind() -> None:
    turns: Turns[str] = Turns()
    turns.put("a", 1, "x")
    turns.put("b", 2, "y")
    assert turns.pull(1) == "x"
    assert turns.pull(1) is None
    assert turns.take() == (2, "y")
    assert turns.take() is None


@given(st.lists(st.one_of(APPS.map(lambda app: ("put", app)), st.just(("take", "")))))
def test_each_app_keeps_its_order_and_waits_for_one_turn_of_every_other(
    moves: list[tuple[str, str]],
) -> None:
    turns: Turns[str] = Turns()
    lines: dict[str, list[int]] = {app: [] for app in "abcd"}
    passed: Counter[str] = Counter()
    for number, (move, app) in enumerate(moves):
        if move == "put":
            turns.put(app, number, app)
            lines[app].append(number)
            continue
        taken = turns.take()
        assert (taken is None) == (not any(lines.values()))
        if taken is not None:
            key, whose = taken
            assert key == lines[whose].pop(0)
            passed[whose] = 0
            for other, line in lines.items():
                passed[other] = passed[other] + 1 if line and other != whose else 0
                assert passed[other] < len(lines)
