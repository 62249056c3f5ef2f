"""What is guessed ahead, and when guessing is given up."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.lookup import GRAM, REST, Costs, Lookup


def tokens(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(values, dtype=np.int32)


def test_what_followed_the_last_tokens_before_is_guessed_again() -> None:
    text = tokens(1, 2, 3, 4, 5, 6, 7, 1, 2, 3)
    assert Lookup().guess(text, Costs(), most=3) == [4, 5, 6]


def test_nothing_is_guessed_after_what_never_stood_there_or_in_a_short_text() -> None:
    assert Lookup().guess(tokens(1, 2, 3, 4, 5, 6), Costs(), most=3) == []
    assert Lookup().guess(tokens(1, 2), Costs(), most=3) == []


def test_the_newest_place_counts() -> None:
    assert Lookup().guess(tokens(1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3), Costs(), most=1) == [5]


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 9))
def test_a_growing_text_gives_the_guesses_of_the_whole_one(text: list[int], most: int) -> None:
    growing = Lookup()
    for end in range(1, len(text) + 1):
        guess = growing.guess(tokens(*text[:end]), Costs(), most=most)
        assert guess == Lookup().guess(tokens(*text[:end]), Costs(), most=most)
        grams = [text[at : at + GRAM] for at in range(end - GRAM)]
        assert bool(guess) == (end >= GRAM and text[end - GRAM : end] in grams)


def test_guesses_that_are_wrong_are_given_up_and_tried_again_later() -> None:
    costs, lookup, text = Costs(), Lookup(), tokens(1, 2, 3, 4, 1, 2, 3)
    costs.measured(0.010, is_guessed=False)
    costs.measured(0.014, is_guessed=True)
    tried = 0
    while lookup.guess(text, costs, most=2):
        lookup.checked(0)
        tried += 1
    assert 2 <= tried <= 5  # from 1 right of a guess in 10 ms down to 0.4
    assert [lookup.guess(text, costs, most=2) for _ in range(REST)] == [[]] * REST
    assert lookup.guess(text, costs, most=2) == [4, 1]


def test_guesses_that_are_right_go_on_for_ever() -> None:
    costs, lookup, text = Costs(), Lookup(), tokens(1, 2, 3, 4, 1, 2, 3)
    costs.measured(0.010, is_guessed=False)
    costs.measured(0.014, is_guessed=True)
    for _ in range(200):
        assert lookup.guess(text, costs, most=1) == [4]
        lookup.checked(1)
