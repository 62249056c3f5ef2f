"""Errors carry a sentence, and what programs need beside it."""

from marketplace.kernel.errors import CaravanError, Invalid, Limited


def test_an_error_is_its_sentence() -> None:
    error = Invalid("Write a name.", rule="form.name", fields={"name": "Write a name."})
    assert (str(error), error.message) == ("Write a name.", "Write a name.")
    assert (error.rule, error.fields) == ("form.name", {"name": "Write a name."})


def test_an_error_without_more_has_nothing_more() -> None:
    error = CaravanError("No.")
    assert (error.rule, error.fields) == (None, {})


def test_a_limit_says_when_to_come_back() -> None:
    assert Limited("Too fast.", retry_after_s=7, rule="runs.rate").retry_after_s == 7
