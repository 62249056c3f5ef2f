"""How likely a token was."""

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.scores import scored

PIECES = (b"a", b"b", b"c", b"\xd8")
ROW = np.array([2.0, 1.0, 0.0, -50.0], np.float32)


def test_a_log_probability_is_the_logit_less_the_logarithm_of_their_sum() -> None:
    told = scored(ROW, 1, PIECES, 2)
    whole = log(exp(2) + exp(1) + 1)
    assert (told.token, told.logprob) == ("b", pytest.approx(1 - whole))
    assert told.likeliest == (("a", pytest.approx(2 - whole)), ("b", pytest.approx(1 - whole)))


def test_nothing_more_is_told_than_was_asked_for_or_there_is() -> None:
    assert scored(ROW, 0, PIECES, 0).likeliest == ()
    assert [text for text, _ in scored(ROW, 0, PIECES, 20).likeliest] == ["a", "b", "c", "\ufffd"]


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=30))
def test_all_probabilities_are_one_together(logits: list[float]) -> None:
    row = np.array(logits, np.float32)
    pieces = tuple(b"x" for _ in logits)
    told = scored(row, 0, pieces, len(logits))
    assert sum(exp(logprob) for _, logprob in told.likeliest) == pytest.approx(1)
    order = [logprob for _, logprob in told.likeliest]
    assert order == sorted(order, reverse=True)
    assert told.logprob <= 0
