"""Strict JSON: what the standard knows, and nothing that a database would refuse."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.kernel import strict_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@given(JSON)
def test_whatever_is_json_is_read_as_it_is(value: object) -> None:
    assert strict_json.parsed(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text", ["1e400", "[-1e309]", '{"a": NaN}', "Infinity", "-Infinity", "", "{"]
)
def test_what_a_database_refuses_is_not_read(text: str) -> None:
    with pytest.raises(ValueError):
        strict_json.parsed(text)
