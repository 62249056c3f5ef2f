"""Mending what cannot be kept."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.runs.keepable import mended

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
)


@pytest.mark.fuzz
@given(VALUES)
def test_what_is_mended_can_be_kept_and_needs_no_mending(value: Any) -> None:
    once = mended(value)
    text = json.dumps(once, ensure_ascii=False)
    assert "\\u0000" not in text.encode().decode().replace(r"\\", "")
    assert mended(once) == once


def test_what_can_be_kept_stays_as_it_is() -> None:
    value = {"a": ["سلام", 1, None, {"b": "😀"}]}
    assert mended(value) == value


def test_each_odd_character_is_replaced() -> None:
    assert mended({"a\0": "\ud800b"}) == {"a\ufffd": "\ufffdb"}
