"""What one prompt may take over from another, and how much it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.prefixes import Content, coming, common_length, longest

texts = st.lists(st.integers(0, 2), max_size=20)


def make_content(text: list[int], *, person: str = "i", shared: int = 0, held: int = 0) -> Content:
    tokens = np.array(text, dtype=np.int32)
    return Content("a@1", "a", person, tokens, known=len(text), shared=shared, length=held)


@given(texts, texts)
def test_the_common_beginning_is_the_longest_on_which_both_agree(
    one: list[int], other: list[int]
) -> None:
    count = common_length(np.array(one, dtype=np.int32), np.array(other, dtype=np.int32))
    assert one[:count] == other[:count]
    assert one[count : count + 1] != other[count : count + 1] or count == len(one) == len(other)


@pytest.mark.parametrize(
    ("person", "other", "shared", "taken"),
    [("i", "i", 0, 5), ("i", "j", 0, None), ("i", "j", 3, 3), ("", "", 0, None), ("", "", 2, 2)],
)
def test_only_the_shared_part_passes_to_another_person_or_to_nobody(
    person: str, other: str, shared: int, taken: int | None
) -> None:
    text = [1, 2, 3, 4, 5, 6]
    held = make_content(text, person=other, shared=shared, held=6)
    wanted = make_content(text, person=person, shared=shared)
    match = longest(wanted, [held], least=1)
    assert (match.count if match is not None else None) == taken


def test_the_longest_match_wins_and_the_last_token_is_left_to_be_computed() -> None:
    wanted = make_content([1, 2, 3, 4])
    short, whole = make_content([1, 2, 9], held=3), make_content([1, 2, 3, 4], held=4)
    match = longest(wanted, [short, whole, wanted], least=1)
    assert match is not None
    assert (match.content, match.count) == (whole, 3)


def test_what_is_not_yet_in_the_cells_is_coming_but_not_there() -> None:
    wanted, read = make_content([1, 2, 3, 4]), make_content([1, 2, 3, 9], held=1)
    there, soon = longest(wanted, [read], least=1), coming(wanted, [read], least=1)
    assert there is not None
    assert soon is not None
    assert (there.count, soon.count) == (1, 3)


def test_a_match_below_the_least_is_none() -> None:
    assert longest(make_content([1, 2, 3]), [make_content([1, 2], held=2)], least=3) is None
