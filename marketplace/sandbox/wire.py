"""Frames between the store, the zygote and its runners: four bytes of length, then msgpack."""

import os
import select
import socket
import struct
import time
from typing import Any

import msgpack

LENGTH = struct.Struct("!I")
# A bundle is at most 32 MiB unpacked; its bytecode comes beside it.
FRAME_BYTES = 96 * 2**20
READ_BYTES = 256 * 1024
# A call or an answer is small; a larger buffer is a mapping of memory of its own, made and dropped.
PIECE_BYTES = 32 * 1024

# Longer than the other side takes to answer from memory; to be woken takes about as long again.
AWAKE_NS = 60_000
MOST_SKIPPED = 64
# With one processor, the other side cannot work while this one looks.
HAS_COMPANY = (os.cpu_count() or 1) > 1

Frame = dict[str, Any]


class BrokenFrame(Exception):
    """The other side sent something that is no frame of ours."""


def pack(frame: Frame) -> bytes:
    """One frame as bytes."""
    body: bytes = msgpack.packb(frame)
    return LENGTH.pack(len(body)) + body


def unpack(body: bytes) -> Frame:
    """The frame in `body`. Raises: BrokenFrame."""
    try:
        frame = msgpack.unpackb(body)
    except (ValueError, msgpack.UnpackException) as error:
        raise BrokenFrame(f"A frame could not be read: {error}.") from error
    if not isinstance(frame, dict) or not isinstance(frame.get("t"), str):
        raise BrokenFrame("A frame has no type.")
    return frame


class Frames:
    """Cuts a stream of bytes into frames."""

    def __init__(self, limit_bytes: int = FRAME_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes. Raises: BrokenFrame."""
        self._buffer += data
        found = []
        while len(self._buffer) >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._buffer)
            if size > self._limit_bytes:
                raise BrokenFrame(f"A frame of {size} bytes is too long.")
            if len(self._buffer) < LENGTH.size + size:
                break
            body = bytes(self._buffer[LENGTH.size : LENGTH.size + size])
            del self._buffer[: LENGTH.size + size]
            found.append(unpack(body))
        return found


class Eager:
    """Looks for an answer a moment long before one goes to sleep over it, where that has paid.

    On a processor with nothing else to do, falling asleep and being woken takes several times as
    long as most host calls. Where answers take longer, looking soon becomes rare.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._skipping = self._next_skips = 0
        self.awake_ns = 0

    def look(self) -> bool:
        """Whether something has come meanwhile, or the other side is gone."""
        if self._skipping or not HAS_COMPANY:
            self._skipping = max(0, self._skipping - 1)
            return False
        found: list[tuple[int, int]] = []
        began = now = time.perf_counter_ns()
        while not found and now - began < AWAKE_NS:
            found = self._poll.poll(0)
            now = time.perf_counter_ns()
        self._next_skips = 0 if found else min(2 * self._next_skips + 1, MOST_SKIPPED)
        self._skipping = self._next_skips
        self.awake_ns += now - began
        return bool(found)


def receive(sock: socket.socket) -> Frame:
    """Wait for one frame. Raises: BrokenFrame, EOFError at the end of the stream."""
    (size,) = LENGTH.unpack(_exactly(sock, LENGTH.size))
    if size > FRAME_BYTES:
        raise BrokenFrame(f"A frame of {size} bytes is too long.")
    return unpack(_exactly(sock, size))


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = sock.recv(min(count - len(data), READ_BYTES))
        if not piece:
            raise EOFError("The other side has closed the connection.")
        data += piece
    return bytes(data)
