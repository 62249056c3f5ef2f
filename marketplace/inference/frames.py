"""The wire between the engine process and its clients: length-prefixed msgpack frames.

A frame is four bytes of big-endian length and one msgpack map with an `op`. A client sends
`generate`, `embed`, `cancel`, `forget` and `status`, each with a number `n` of its own choice; the
engine answers with `events` (one batched frame a step and peer), `status` and, before it hangs up
on a client that broke the rules, `closed` with the reason.
"""

import struct
from collections.abc import Iterator
from typing import Any

import msgpack

LARGEST_FRAME_BYTES = 8 * 1024 * 1024
LENGTH = struct.Struct(">I")


class BadFrame(Exception):
    """The bytes are no frame of ours; the connection has to be closed. The message says why."""


def pack(frame: dict[str, Any]) -> bytes:
    """One frame as bytes.

    Raises: BadFrame when the content is larger than a frame may be, or no msgpack.
    """
    try:
        body: bytes = msgpack.packb(frame)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadFrame(f"The frame cannot be written: {error}.") from error
    if len(body) > LARGEST_FRAME_BYTES:
        raise BadFrame(_too_large(len(body)))
    return LENGTH.pack(len(body)) + body


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Take received bytes and yield every frame that is complete.

        Raises: BadFrame at the first frame that breaks the rules; the reader is then useless.
        """
        self._bytes += data
        while len(self._bytes) >= LENGTH.size:
            [size] = LENGTH.unpack_from(self._bytes)
            if size > LARGEST_FRAME_BYTES:
                raise BadFrame(_too_large(size))
            end = LENGTH.size + size
            if len(self._bytes) < end:
                return
            body = bytes(self._bytes[LENGTH.size : end])
            del self._bytes[:end]
            yield _unpack(body)


def _unpack(body: bytes) -> dict[str, Any]:
    try:
        frame = msgpack.unpackb(body)
    # msgpack raises ValueError and its kin for bad bytes, TypeError for unhashable map keys
    # and RecursionError's kin (StackError, a ValueError) for deep nesting.
    except (ValueError, TypeError, OverflowError, msgpack.exceptions.UnpackException) as error:
        raise BadFrame(f"The frame is not msgpack: {error}.") from error
    if not isinstance(frame, dict) or not isinstance(frame.get("op"), str):
        raise BadFrame("The frame is not a map with an `op`.")
    return frame


def _too_large(size: int) -> str:
    return f"The frame has {size} bytes; {LARGEST_FRAME_BYTES} are allowed."
