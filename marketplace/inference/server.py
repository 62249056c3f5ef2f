"""The engine's unix socket: many clients, each with many requests, one event loop.

The decode thread hands over the events of a step and goes on; packing and writing happen here,
while the next step computes. A client that does not read is dropped, never waited for.
"""

import asyncio
import logging
import os
import socket
import stat
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any

from marketplace.inference.frames import BadFrame, FrameReader, pack
from marketplace.inference.host import EngineHost
from marketplace.inference.ports import (
    Embedded,
    Embedding,
    Finished,
    Generation,
    ModelUnavailable,
    QueueFull,
)
from marketplace.inference.settings import InferenceSettings
from marketplace.inference.shelf import type_shelf
from marketplace.inference.wire import (
    from_event,
    from_status,
    to_embedding,
    to_generation,
    type_event,
)
from marketplace.kernel.errors import CaravanError, Conflict, Invalid

log = logging.getLogger(__name__)

WATCH_EVERY_S = 5.0
LARGEST_BACKLOG_BYTES = 16 * 1024 * 1024
LONGEST_SOCKET_PATH_BYTES = 107
TOO_LARGE = "The answer is too large to be handed on. Ask for fewer texts at once."


class SocketInUse(Conflict):
    """Another engine answers on this socket."""


class Peer(asyncio.Protocol):
    """One client's connection and the numbers of its open requests."""

    def __init__(self, server: "EngineServer") -> None:
        self.open: set[int] = set()
        self._server = server
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve a client."""
        assert isinstance(transport, asyncio.Transport)  # a stream server makes only these
        self._transport = transport
        self._server.peers.add(self)

    def data_received(self, data: bytes) -> None:
        """Take frames; a bad one ends the connection with the reason."""
        try:
            for frame in self._reader.feed(data):
                self._server.handle(self, frame)
        except BadFrame as error:
            log.warning("A client is disconnected: %s", error)
            self.send({"op": "closed", "reason": str(error)})
            if self._transport is not None:
                self._transport.close()

    def hang_up(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel what a vanished client was waiting for."""
        self._transport = None
        self._server.peers.discard(self)
        self._server.abandon(self)

    def send_events(self, events: list[Any]) -> None:
        """Write events in one frame, or each in its own where one cannot hold them all."""
        try:
            self.send({"op": "events", "events": events})
        except BadFrame:
            if len(events) == 1:
                number = events[0][0]
                events = [from_event(number, ModelUnavailable(TOO_LARGE, rule="llm.frame"))]
                self.send({"op": "events", "events": events})
                return
            for event in events:
                self.send_events([event])

    def send(self, frame: dict[str, Any]) -> None:
        """Write a frame without waiting; drop a client whose backlog grows too large."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(pack(frame))
        if self._transport.get_write_buffer_size() > LARGEST_BACKLOG_BYTES:
            log.warning("A client is disconnected: it does not read what it asked for.")
            self.hang_up()


class EngineServer:
    """Serves the models of one process on one socket until `stop` is called."""

    def __init__(
        self,
        path: Path,
        shelf: type_shelf,
        settings: InferenceSettings,
        blobs: Path | None = None,
    ) -> None:
        self.peers: set[Peer] = set()
        self._path = path
        self._most_open = settings.queue_total + settings.max_sequences
        self._host = EngineHost(shelf, settings, self._emit, self._crash, blobs=blobs)
        self._stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._has_crashed = False

    async def serve(self, ready: Callable[[], None]) -> int:
        """Listen, call `ready` once, and serve until stopped. Returns the exit status.

        Raises: SocketInUse when another engine answers there, Invalid for a path too long.
        """
        listener = _listen(self._path)
        server = await self._loop.create_unix_server(lambda: Peer(self), sock=listener)
        self._host.start()
        ready()
        while not self._stopped.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), WATCH_EVERY_S)
            if self._host.is_stuck(time.monotonic()):
                # Nothing can interrupt a call into llama.cpp; a new process can answer again.
                log.error("The engine is stuck and ends, to be started anew.")
                self._crash()
                break
            self._host.look_around()
        server.close()
        for peer in list(self.peers):
            peer.hang_up()
        await asyncio.sleep(0)  # the loop tells the peers, while requests can still be cancelled
        await asyncio.to_thread(self._host.close)
        self._path.unlink(missing_ok=True)
        return 1 if self._has_crashed else 0

    def stop(self) -> None:
        """End `serve`, from the loop's thread."""
        self._stopped.set()

    def handle(self, peer: Peer, frame: dict[str, Any]) -> None:
        """Carry out one frame. Raises: BadFrame for an operation or number that is none."""
        number = frame.get("n")
        if not isinstance(number, int):
            raise BadFrame("The frame has no number `n`.")
        match frame["op"]:
            case "generate":
                self._take(peer, number, lambda: to_generation(frame.get("generation")))
            case "embed":
                self._take(peer, number, lambda: to_embedding(frame.get("embedding")))
            case "cancel":
                if number in peer.open:
                    self._host.cancel((peer, number))
            case "forget":
                self._host.forget(str(frame.get("release")))
            case "status":
                status = from_status(self._host.status())
                peer.send({"op": "status", "n": number, "status": status})
            case other:
                raise BadFrame(f"There is no operation `{other:.40}`.")

    def abandon(self, peer: Peer) -> None:
        """Cancel everything a client had open."""
        for number in peer.open:
            self._host.cancel((peer, number))

    def _take(self, peer: Peer, number: int, read: Callable[[], Generation | Embedding]) -> None:
        if number in peer.open:
            raise BadFrame(f"The number {number} is in use.")
        try:
            request = read()
            # The scheduler bounds what waits; this bounds what is still being prepared for it.
            if sum(len(each.open) for each in self.peers) >= self._most_open:
                raise QueueFull(
                    "The language model has too many requests. Try again in 5 s.",
                    retry_after_s=5,
                    rule="llm.queue",
                )
            peer.open.add(number)
            self._host.submit((peer, number), request)
        except CaravanError as error:
            peer.open.discard(number)
            peer.send({"op": "events", "events": [from_event(number, error)]})

    def _emit(self, events: list[tuple[Hashable, type_event]]) -> None:
        self._loop.call_soon_threadsafe(self._deliver, events)

    def _deliver(self, events: list[tuple[Hashable, type_event]]) -> None:
        frames: dict[Peer, list[Any]] = {}
        for key, event in events:
            assert isinstance(key, tuple)  # keys are the (peer, number) of `_take`
            peer, number = key
            if number in peer.open:
                frames.setdefault(peer, []).append(from_event(number, event))
                if isinstance(event, (Finished, Embedded, CaravanError)):
                    peer.open.discard(number)
        for peer, batch in frames.items():
            peer.send_events(batch)

    def _crash(self) -> None:
        self._has_crashed = True
        self._loop.call_soon_threadsafe(self.stop)


def _listen(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH_BYTES:
        raise Invalid(
            f"The socket path {path} is longer than {LONGEST_SOCKET_PATH_BYTES} bytes. "
            "Choose a shorter data folder."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Only this user may talk to the engine: the mask holds from the socket's first moment.
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    return listener


def _remove_stale(path: Path) -> None:
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise SocketInUse(f"{path} is a file, not a socket. Move it away or choose another path.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()  # an engine that was killed left it behind
            return
    raise SocketInUse(f"Another engine serves {path} already. Stop it first.")
