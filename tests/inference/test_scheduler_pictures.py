"""Pictures are read whole, in steps of their own, in turn with the texts of others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.scheduler import Scheduler
from marketplace.inference.sequences import Chunk
from tests.inference.scheduling import SMALL, WIDE, compute, make_request, submit


def read(scheduler: Scheduler, most: int = 200) -> list[tuple[Chunk, ...]]:
    """The chunks of all steps until nothing is left to do."""
    steps = []
    for _ in range(most):
        step, _ = compute(scheduler)
        if step.is_empty:
            return steps
        if step.chunks:
            steps.append(step.chunks)
    raise AssertionError("the scheduler does not come to an end")


def test_a_prompt_is_read_in_runs_of_text_and_pictures() -> None:
    scheduler = Scheduler(SMALL)
    submit(scheduler, 1, prompt=20, pictures=(range(3, 9), range(9, 15)))
    read_in = [(c.start, c.count, c.is_picture) for [c] in read(scheduler)]
    assert read_in == [(0, 3, False), (3, 6, True), (9, 6, True), (15, 5, False)]


def test_a_picture_waits_a_step_for_whoever_was_given_less() -> None:
    scheduler = Scheduler(WIDE)
    submit(scheduler, 1, "a", prompt=20, pictures=(range(8),))
    submit(scheduler, 2, "b", prompt=4)
    first, second, *_ = read(scheduler)
    assert [chunk.sequence.key for chunk in first] == [2]
    assert [(chunk.sequence.key, chunk.is_picture) for chunk in second] == [(1, True)]


def test_what_was_put_back_reads_its_pictures_again_whole() -> None:
    scheduler = Scheduler(WIDE)
    sequence = submit(scheduler, 1, prompt=20, pictures=(range(3, 9),), answer=4)
    submit(scheduler, 2, prompt=3, answer=1)
    compute(scheduler)
    scheduler._put_back(sequence, 0.0)
    pictures = [c for chunks in read(scheduler) for c in chunks if c.is_picture]
    assert [(c.start, c.count) for c in pictures] == [(3, 6)]
    assert (sequence.reason, sequence.usage().prompt_tokens) == ("length", 20)


@st.composite
def prompts(draw: st.DrawFn) -> tuple[int, tuple[range, ...]]:
    """A prompt's length, and where its pictures stand; a text comes last."""
    end, pictures = 0, []
    for text, picture in draw(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 9)))):
        if end + text + picture > 50:
            break
        pictures.append(range(end + text, end + text + picture))
        end += text + picture
    return end + draw(st.integers(1, 8)), tuple(pictures)


@pytest.mark.fuzz
@given(wanted=st.lists(prompts(), min_size=1, max_size=4))
def test_no_step_mixes_pictures_with_anything_or_cuts_one(
    wanted: list[tuple[int, tuple[range, ...]]],
) -> None:
    scheduler = Scheduler(WIDE)
    for key, (length, pictures) in enumerate(wanted):
        request = make_request(key, f"app{key}", prompt=length, pictures=pictures, answer=1)
        scheduler.submit(request, 0.0)
    seen: dict[object, list[Chunk]] = {key: [] for key in range(len(wanted))}
    for chunks in read(scheduler):
        assert len(chunks) == 1 or not any(chunk.is_picture for chunk in chunks)
        for chunk in chunks:
            seen[chunk.sequence.key].append(chunk)
    for key, (length, pictures) in enumerate(wanted):
        shown = [range(c.start, c.start + c.count) for c in seen[key] if c.is_picture]
        assert tuple(shown) == pictures
        assert sum(chunk.count for chunk in seen[key]) == length
