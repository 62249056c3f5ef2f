"""Frames: cut anywhere they come out whole, and nonsense is refused."""

import socket
import struct
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.sandbox.wire import BrokenFrame, Frames, pack, receive, unpack

FRAMES = st.fixed_dictionaries({"t": st.text(max_size=5)}, optional={"data": st.binary()})


@pytest.mark.fuzz
@given(st.lists(FRAMES, max_size=6), st.data())
def test_frames_survive_any_cut(frames: list[dict[str, Any]], data: st.DataObject) -> None:
    stream = b"".join(map(pack, frames))
    reader, found = Frames(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert found == frames


@pytest.mark.fuzz
@given(st.binary(max_size=60))
def test_nonsense_is_refused_or_kept_for_later_never_believed(data: bytes) -> None:
    try:
        found = Frames(1000).feed(data)
    except BrokenFrame:
        return
    assert all(isinstance(frame["t"], str) for frame in found)


def test_a_frame_beyond_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(BrokenFrame, match="too long"):
        Frames(100).feed(struct.pack("!I", 101))


def test_a_body_without_a_type_is_no_frame() -> None:
    for body in (msgpack.packb([1]), msgpack.packb({"a": 1}), b"\xc1"):
        with pytest.raises(BrokenFrame):
            unpack(body)


def test_receive_waits_for_one_whole_frame_and_knows_the_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(pack({"t": "a"}) + pack({"t": "b", "data": b"x" * 5000}))
        assert receive(ours) == {"t": "a"}
        assert receive(ours)["t"] == "b"
        theirs.sendall(struct.pack("!I", 2**31))
        with pytest.raises(BrokenFrame, match="too long"):
            receive(ours)
        theirs.close()
        with pytest.raises(EOFError):
            receive(ours)
