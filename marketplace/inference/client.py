"""The engine as the other processes see it: one connection, many threads, reconnects."""

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

from marketplace.inference.frames import BadFrame, FrameReader, pack
from marketplace.inference.ports import (
    BadGeneration,
    Embedded,
    Embedding,
    EngineGone,
    EngineStatus,
    Finished,
    Generation,
    type_answer_event,
)
from marketplace.inference.wire import (
    LOADING,
    check,
    check_embedding,
    from_embedding,
    from_generation,
    to_event,
    to_status,
    type_event,
)
from marketplace.kernel.errors import CaravanError, Unavailable

log = logging.getLogger(__name__)

RETRY_EVERY_S = 0.05
STATUS_TIMEOUT_S = 2.0
SILENCE_S = 15.0
SEND_TIMEOUT_S = 10.0
RECEIVE_BYTES = 256 * 1024
GONE = "The language model stopped while it was answering. Run it again."
ABSENT = (
    "The language model is not running. Start it with `marketplace serve` or "
    "`marketplace engine`, then try again."
)


@dataclass(eq=False)
class Connection:
    """One connection: a thread reads frames and puts each event into its request's queue."""

    sock: socket.socket
    lock: Lock = field(default_factory=Lock)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    # A queue holds at most one answer's events, so it needs no bound of its own.
    queues: dict[int, SimpleQueue[type_event | EngineStatus]] = field(default_factory=dict)
    request_ids: dict[int, str] = field(default_factory=dict)
    is_open: bool = True

    def open_request(self, request_id: str) -> tuple[int, SimpleQueue[type_event | EngineStatus]]:
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


class EngineClient:
    """`Inference` over the engine's unix socket; one object serves all threads of a process.

    Args:
        patience_s: how long a new request waits for an engine that restarts or loads.
    """

    def __init__(self, socket_path: Path, *, patience_s: float = 5.0) -> None:
        self._path = socket_path
        self._patience_s = patience_s
        self._lock = Lock()
        self._connection: Connection | None = None
        self._pid = os.getpid()

    def generate(self, generation: Generation) -> Iterator[type_answer_event]:
        """Stream one answer; see `Inference.generate`.

        Raises: EngineGone when the engine dies meanwhile, Unavailable when there is none.
        """
        check(generation)
        frame = {"op": "generate", "generation": from_generation(generation)}
        for event in self._ask(generation.request_id, frame):
            if not isinstance(event, Embedded):
                yield event

    def embed(self, embedding: Embedding) -> Embedded:
        """Turn texts into vectors; see `Inference.embed`.

        Raises: EngineGone when the engine dies meanwhile, Unavailable when there is none.
        """
        check_embedding(embedding)
        frame = {"op": "embed", "embedding": from_embedding(embedding)}
        for event in self._ask(embedding.request_id, frame):
            if isinstance(event, Embedded):
                return event
        raise EngineGone(GONE)

    def cancel(self, request_id: str) -> None:
        """Stop a request from any thread; its iterator then ends with `cancelled`."""
        connection = self._connection
        if connection is not None and self._pid == os.getpid():
            for number in connection.numbers_of(request_id):
                self._withdraw(connection, number)

    def status(self) -> EngineStatus:
        """What the engine is and does now. Never raises."""
        try:
            connection = self._connect()
            number, queue = connection.open_request("")
            try:
                connection.send({"op": "status", "n": number})
                answer = queue.get(timeout=STATUS_TIMEOUT_S)
            finally:
                connection.forget(number)
        except (Unavailable, OSError):
            return EngineStatus(ready=False, why_not=ABSENT)
        except Empty:
            sentence = "The engine does not answer. Look at its log, or restart it."
            return EngineStatus(ready=False, why_not=sentence)
        if isinstance(answer, EngineStatus):
            return answer
        return EngineStatus(ready=False, why_not=ABSENT)

    def close(self) -> None:
        """Close the connection; a later request opens a new one."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.is_open = False
            connection.hang_up()

    def _ask(
        self, request_id: str, frame: dict[str, Any]
    ) -> Iterator[type_answer_event | Embedded]:
        deadline = time.monotonic() + self._patience_s
        while True:
            connection, number, queue = self._begin(request_id, frame, deadline)
            try:
                first = self._next(queue)
                if _is_loading(first) and time.monotonic() < deadline:
                    time.sleep(RETRY_EVERY_S)
                    continue
                yield from self._events(first, queue)
                return
            finally:
                if connection.forget(number):
                    self._withdraw(connection, number)

    def _events(
        self, event: type_event | EngineStatus, queue: SimpleQueue[type_event | EngineStatus]
    ) -> Iterator[type_answer_event | Embedded]:
        while True:
            if isinstance(event, CaravanError):
                raise event
            if not isinstance(event, EngineStatus):
                yield event
            if isinstance(event, (Finished, Embedded)):
                return
            event = self._next(queue)

    def _next(self, queue: SimpleQueue[type_event | EngineStatus]) -> type_event | EngineStatus:
        while True:
            try:
                return queue.get(timeout=SILENCE_S)
            except Empty:
                # A long prompt is quiet too; an engine that does not even give its status hangs.
                if not self.status().ready:
                    raise EngineGone(GONE) from None

    def _begin(
        self, request_id: str, frame: dict[str, Any], deadline: float
    ) -> tuple[Connection, int, SimpleQueue[type_event | EngineStatus]]:
        while True:
            try:
                connection = self._connect()
                number, queue = connection.open_request(request_id)
                connection.send({**frame, "n": number})
            except (EngineGone, OSError) as error:
                # Nothing of the answer can have come yet, so trying again repeats nothing.
                if time.monotonic() >= deadline:
                    raise Unavailable(ABSENT, rule="llm.engine") from error
                time.sleep(RETRY_EVERY_S)
            except BadFrame as error:
                raise BadGeneration(str(error), rule="llm.request") from error
            else:
                return connection, number, queue

    def _withdraw(self, connection: Connection, number: int) -> None:
        try:
            connection.send({"op": "cancel", "n": number})
        except EngineGone:
            return  # an engine that is gone computes nothing that could be cancelled

    def _connect(self) -> Connection:
        with self._lock:
            if self._pid != os.getpid():
                # A forked child must not share its parent's connection, nor close it for both.
                self._pid, self._connection = os.getpid(), None
            if self._connection is not None and self._connection.is_open:
                return self._connection
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.settimeout(SEND_TIMEOUT_S)
                sock.connect(str(self._path))
            except OSError:
                sock.close()
                raise
            connection = self._connection = Connection(sock)
            Thread(target=connection.read, name="engine-client", daemon=True).start()
            return connection


def _is_loading(event: type_event | EngineStatus) -> bool:
    return isinstance(event, Unavailable) and event.rule == LOADING
