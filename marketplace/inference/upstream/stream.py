"""Reads server-sent events off a response, within bounds."""

from collections.abc import AsyncIterator

from marketplace.inference.upstream.dialect import Garbled

LONGEST_LINE_BYTES = 1024 * 1024
DONE = "[DONE]"


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The data of each event, up to the one that says that no more come.

    Every server of the dialect writes an event's data in one line. Raises: Garbled when a line
    does not end.
    """
    held = b""
    async for chunk in chunks:
        *lines, held = (held + chunk).split(b"\n")
        if len(held) > LONGEST_LINE_BYTES:
            raise Garbled("The language model's server sends a line without an end.")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip().decode("utf-8", "replace")
            if data == DONE:
                return
            yield data
