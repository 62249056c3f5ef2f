"""What a frame means: anything at all is a request or event of ours, or a clear refusal."""

from contextlib import suppress
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.ports import BadGeneration, Generation
from marketplace.inference.wire import from_generation, to_event, to_generation
from tests.inference.engines import make_generation
from tests.inference.values import VALUES

NAMES = [field.name for field in fields(Generation)]
KINDS = st.sampled_from(["piece", "scored", "queued", "finished", "error", "tool_call", "embedded"])


@pytest.mark.fuzz
@given(odd=st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES, max_size=3))
def test_any_request_is_one_of_ours_or_refused_by_its_fields_name(odd: dict[str, Any]) -> None:
    frame = {**from_generation(make_generation()), **odd}
    with suppress(BadGeneration):  # any other error fails the test
        generation = to_generation(frame)
        assert to_generation(from_generation(generation)) == generation


@pytest.mark.fuzz
@given(event=st.lists(st.integers(0, 9) | KINDS | VALUES, max_size=6))
def test_any_event_is_one_of_ours_or_none(event: list[Any]) -> None:
    # A client takes these errors for an engine that talks nonsense; any other fails the test.
    with suppress(ValueError, TypeError, KeyError):
        number, _event = to_event(event)
        assert isinstance(number, int)
