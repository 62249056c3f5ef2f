"""One connection to the engine: many requests of many threads, one thread that reads."""

import logging
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from queue import SimpleQueue
from threading import Lock
from typing import Any

from marketplace.inference.frames import BadFrame, FrameReader, pack
from marketplace.inference.ports import Embedded, EngineGone, EngineStatus, Finished
from marketplace.inference.wire import to_event, to_status, type_event
from marketplace.kernel.errors import CaravanError

log = logging.getLogger(__name__)

RECEIVE_BYTES = 256 * 1024
GONE = "The language model stopped while it was answering. Run it again."

type_queue = SimpleQueue[type_event | EngineStatus]


@dataclass(eq=False)
class Connection:
    """One connection: a thread reads frames and puts each event into its request's queue."""

    sock: socket.socket
    lock: Lock = field(default_factory=Lock)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    # A queue holds at most one answer's events, so it needs no bound of its own.
    queues: dict[int, type_queue] = field(default_factory=dict)
    request_ids: dict[int, str] = field(default_factory=dict)
    is_open: bool = True

    def open_request(self, request_id: str) -> tuple[int, type_queue]:
        """A new number and the queue of its events. Raises: EngineGone on a dead connection."""
        with self.lock:
            if not self.is_open:
                raise EngineGone(GONE)
            number = next(self.numbers)
            queue = self.queues[number] = SimpleQueue()
            self.request_ids[number] = request_id
            return number, queue

    def forget(self, number: int) -> bool:
        """Drop a request. Returns whether it was still open."""
        with self.lock:
            self.request_ids.pop(number, None)
            return self.queues.pop(number, None) is not None

    def numbers_of(self, request_id: str) -> list[int]:
        """The open requests of an id."""
        with self.lock:
            return [number for number, known in self.request_ids.items() if known == request_id]

    def send(self, frame: dict[str, Any]) -> None:
        """Write one frame whole. Raises: EngineGone when the engine cannot be reached."""
        data = pack(frame)
        with self.lock:
            try:
                self.sock.sendall(data)
            except OSError as error:
                # A frame may be half written: nobody can use the connection after that.
                self.is_open = False
                self.hang_up()
                raise EngineGone(GONE) from error

    def hang_up(self) -> None:
        """Wake the reading thread, which then closes the socket."""
        # A socket whose other end is gone already has nothing to shut down.
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def read(self) -> None:
        """The reading thread's body: distribute events until the connection ends."""
        reader = FrameReader()
        try:
            while data := self._receive():
                for frame in reader.feed(data):
                    self._distribute(frame)
        except (BadFrame, OSError, ValueError, TypeError, KeyError) as error:
            log.warning("The connection to the engine broke: %r", error)
        finally:
            self._end()

    def _receive(self) -> bytes:
        while True:
            try:
                return self.sock.recv(RECEIVE_BYTES)
            except TimeoutError:
                # The timeout is there for sending; silence from the engine is no fault.
                continue

    def _distribute(self, frame: dict[str, Any]) -> None:
        if frame["op"] == "events":
            for wire in frame["events"]:
                number, event = to_event(wire)
                queue = self.queues.get(number)
                if queue is not None:
                    queue.put(event)
                if isinstance(event, (Finished, Embedded, CaravanError)):
                    self.forget(number)
        elif frame["op"] == "status":
            queue = self.queues.get(frame["n"])
            if queue is not None:
                queue.put(to_status(frame["status"]))

    def _end(self) -> None:
        with self.lock:
            self.is_open = False
            waiting = list(self.queues.values())
            self.sock.close()
        for queue in waiting:
            queue.put(EngineGone(GONE))
