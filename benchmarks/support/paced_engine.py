"""An engine that only keeps time: each answer gets a token every twentieth of a second.

`python -m benchmarks.support.paced_engine SOCKET` speaks to the store as the real engine does. A
token is the moment it was sent, so that whoever reads it knows how long it was on its way.
"""

import asyncio
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

from marketplace.inference.frames import FrameReader, pack
from marketplace.inference.ports import EngineStatus, Finished, Piece, Usage
from marketplace.inference.wire import from_event, from_status, type_event

MODEL = "Paced"
TOKENS_PER_S = 20
# Steps of the engine between two tokens of one answer; each step serves its share of the answers.
STEPS = 10
STATUS = EngineStatus(ready=True, model=MODEL, context=8192, max_sequences=1000)


class Client(asyncio.Protocol):
    """One web process, and how many tokens each of its answers still gets."""

    def __init__(self, clients: set["Client"]) -> None:
        self.left: dict[int, int] = {}
        self._clients = clients
        self._reader = FrameReader()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve it."""
        assert isinstance(transport, asyncio.Transport)  # a stream server makes only these
        self._transport = transport
        self._clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what it wanted."""
        self._clients.discard(self)

    def data_received(self, data: bytes) -> None:
        """Take what it asks."""
        for frame in self._reader.feed(data):
            number = frame["n"]
            match frame["op"]:
                case "generate":
                    self.left[number] = frame["generation"]["max_tokens"]
                case "cancel" if number in self.left:
                    self._tell([(number, self._end(number, "cancelled"))])
                case "status":
                    status = {"op": "status", "n": number, "status": from_status(STATUS)}
                    self._transport.write(pack(status))

    def step(self, share: int) -> None:
        """One token more for each answer of this share."""
        events: list[tuple[int, type_event]] = []
        for number in [each for each in self.left if each % STEPS == share]:
            self.left[number] -= 1
            events.append((number, Piece(f"{time.time():.4f} ")))
            if not self.left[number]:
                events.append((number, self._end(number, "length")))
        self._tell(events)

    def _end(self, number: int, reason: str) -> Finished:
        del self.left[number]
        return Finished(reason, Usage(prompt_tokens=8, generated_tokens=1), MODEL)

    def _tell(self, events: list[tuple[int, type_event]]) -> None:
        wire: list[Any] = [from_event(number, event) for number, event in events]
        if wire:
            self._transport.write(pack({"op": "events", "events": wire}))


async def serve(path: Path) -> None:
    """Listen, and beat time until the process is ended."""
    clients: set[Client] = set()
    path.parent.mkdir(parents=True, exist_ok=True)
    await asyncio.get_running_loop().create_unix_server(lambda: Client(clients), path)
    began, step_s = time.monotonic(), 1 / TOKENS_PER_S / STEPS
    for turn in count():
        for client in tuple(clients):
            client.step(turn % STEPS)
        await asyncio.sleep(max(0.0, began + (turn + 1) * step_s - time.monotonic()))


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
