"""Frames: cut anywhere they come out whole, and nonsense is refused."""

import socket
import struct
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.sandbox import wire
from marketplace.sandbox.wire import (
    MOST_SKIPPED,
    BrokenFrame,
    Eager,
    Frames,
    pack,
    receive,
    unpack,
)

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


def test_who_waits_in_vain_looks_ever_more_rarely_until_it_pays_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "HAS_COMPANY", True)
    here, there = socket.socketpair()
    with here, there:
        eager = Eager(here)
        looked = []
        for turn in range(4 * MOST_SKIPPED):
            before = eager.awake_ns
            assert not eager.look()
            if eager.awake_ns > before:
                looked.append(turn)
        assert looked[:4] == [0, 2, 6, 14]
        assert len(looked) < 4 + 4 * MOST_SKIPPED / (MOST_SKIPPED + 1) + 3
        there.sendall(b"!")
        while not eager.look():
            pass
        # It paid, so it looks every time.
        assert [eager.look() for _ in range(3)] == [True] * 3
        here.recv(1)
        there.close()
        assert eager.look()


def test_with_one_processor_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HAS_COMPANY", False)
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"!")
        eager = Eager(here)
        assert not eager.look()
        assert eager.awake_ns == 0
