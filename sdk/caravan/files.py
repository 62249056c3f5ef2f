"""What a person gave besides plain values: a file, which only this run may read, and a secret."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from caravan import _host

# One call carries 1 MB of JSON; base64 makes four bytes of three.
PIECE_BYTES = 512 * 1024


@dataclass(frozen=True)
class File:
    """A file the person picked for this run. Permission: `files.read`.

    The store keeps it for a few days with the run that it was picked for.

    Args:
        id: what the store knows it by during the run.
        name: what it is called on the person's machine.
        media_type: what kind its first bytes say it is, such as `text/plain`.
    """

    id: str
    name: str
    media_type: str
    size_bytes: int

    def pieces(self) -> Iterator[bytes]:
        """Its bytes, half a megabyte at a time."""
        offset = 0
        while offset < self.size_bytes:
            asked = {"file": self.id, "offset": offset, "length": PIECE_BYTES}
            piece = base64.b64decode(_host.call("files.read", asked)["base64"])
            if not piece:
                return
            offset += len(piece)
            yield piece

    def read(self) -> bytes:
        """All its bytes."""
        return b"".join(self.pieces())

    def text(self, encoding: str = "utf-8") -> str:
        """Its bytes as text; what the encoding does not have becomes \ufffd."""
        return self.read().decode(encoding, errors="replace").removeprefix("\ufeff")


class Secret(str):
    """A text that is typed unseen, and that neither a log nor a page shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(…)"
