"""Frames between the store, the zygote and its runners: four bytes of length, then msgpack."""

import socket
import struct
from typing import Any

import msgpack

LENGTH = struct.Struct("!I")
# A bundle is at most 32 MiB unpacked; its bytecode comes beside it.
FRAME_BYTES = 96 * 2**20
READ_BYTES = 256 * 1024

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
