"""Secret inputs: found by their schema, taken out of everything that is kept."""

import copy
from typing import Any

from caravan import withheld
from caravan.withheld import MARK
from hypothesis import given
from hypothesis import strategies as st

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "key": {"type": "string", "writeOnly": True},
        "place": {"type": "object", "properties": {"pin": {"type": "string", "writeOnly": True}}},
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"word": {"type": "string", "writeOnly": True}},
            },
        },
    },
}
VALUES = {
    "text": "hunter2 in the open",
    "key": "hunter2",
    "place": {"pin": "1234"},
    "rows": [{"word": "a"}, {"word": ""}],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_secrets_are_found_and_masked_wherever_they_are() -> None:
    found = dict(withheld.found(VALUES, SCHEMA))
    assert found == {"key": "hunter2", "place.pin": "1234", "rows.0.word": "a"}
    assert withheld.masked(VALUES, SCHEMA) == {
        "text": "hunter2 in the open",
        "key": MARK,
        "place": {"pin": MARK},
        "rows": [{"word": MARK}, {"word": ""}],
    }


def test_what_was_masked_can_be_put_back() -> None:
    again = copy.deepcopy(withheld.masked(VALUES, SCHEMA))
    for path, secret in withheld.found(VALUES, SCHEMA):
        withheld.put(again, path, secret)
    assert again == VALUES


@given(st.lists(st.text("abc", min_size=1)), JSON)
def test_no_text_holds_a_secret_afterwards_and_the_shape_stays(
    secrets: list[str], value: Any
) -> None:
    def check(before: Any, after: Any) -> None:
        assert type(before) is type(after)
        if isinstance(before, str):
            assert not any(secret in after for secret in secrets)
        elif isinstance(before, dict):
            # A key is a text too; two that are alike but for their secrets become one.
            masked = {withheld.without(secrets, key): each for key, each in before.items()}
            assert masked.keys() == after.keys()
            assert not any(secret in key for secret in secrets for key in after)
            for key, each in masked.items():
                check(each, after[key])
        elif isinstance(before, list):
            for one, other in zip(before, after, strict=True):
                check(one, other)
        else:
            assert before == after

    check(value, withheld.without(secrets, value))


def test_a_secret_within_another_does_not_break_it_up() -> None:
    assert withheld.without(["ab", "abcd"], "xabcdx") == f"x{MARK}x"
