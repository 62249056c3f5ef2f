"""Frames come out as they went in; whatever else arrives is a clear refusal, never a crash."""

from contextlib import suppress

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.frames import (
    LARGEST_FRAME_BYTES,
    LENGTH,
    BadFrame,
    FrameReader,
    pack,
)
from tests.inference.values import VALUES

FRAMES = st.dictionaries(st.text(), VALUES, max_size=4).map(lambda frame: {**frame, "op": "x"})


def body(content: bytes) -> bytes:
    return LENGTH.pack(len(content)) + content


@pytest.mark.fuzz
@given(frames=st.lists(FRAMES, max_size=4), cuts=st.lists(st.integers(1, 20)))
def test_frames_arrive_whole_and_in_order_however_the_bytes_are_cut(
    frames: list[dict[str, object]], cuts: list[int]
) -> None:
    data = b"".join(map(pack, frames))
    reader, found = FrameReader(), []
    for size in cuts:
        found += reader.feed(data[:size])
        data = data[size:]
    found += reader.feed(data)
    assert found == frames


@pytest.mark.fuzz
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_clear_refusal(data: bytes) -> None:
    for sent in (data, body(data)):
        # Any exception but BadFrame fails the test.
        with suppress(BadFrame):
            for frame in FrameReader().feed(sent):
                assert isinstance(frame["op"], str)


def test_a_frame_that_claims_to_be_too_large_is_refused_before_it_has_come() -> None:
    with pytest.raises(BadFrame, match="8388608 are allowed"):
        list(FrameReader().feed(LENGTH.pack(LARGEST_FRAME_BYTES + 1)))


def test_a_frame_too_large_is_not_sent() -> None:
    with pytest.raises(BadFrame, match="are allowed"):
        pack({"op": "x", "data": b"0" * LARGEST_FRAME_BYTES})


def test_what_msgpack_cannot_say_is_not_sent() -> None:
    with pytest.raises(BadFrame, match="cannot be written"):
        pack({"op": "x", "data": object()})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xc1", "not msgpack"),
        (b"", "not msgpack"),
        (b"\x91" * 5000, "not msgpack"),
        (b"\x81\x91\x01\x02", "not msgpack"),
        (msgpack.packb([1, 2]), "not a map"),
        (msgpack.packb({"n": 1}), "with an `op`"),
        (msgpack.packb({"op": 7}), "with an `op`"),
    ],
)
def test_each_kind_of_bad_frame_is_told_apart(content: bytes, reason: str) -> None:
    with pytest.raises(BadFrame, match=reason):
        list(FrameReader().feed(body(content)))
