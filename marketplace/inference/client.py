"""The engine as the other processes see it: one connection, many threads, reconnects.

An engine that dies costs only the answers it was writing. A request of which nothing has come yet
is sent again to the engine's successor.
"""

import logging
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from threading import Event, Lock, Thread
from typing import Any

from marketplace.inference.connection import GONE, Connection, type_queue
from marketplace.inference.frames import BadFrame
from marketplace.inference.ports import (
    BadGeneration,
    Embedded,
    Embedding,
    EngineGone,
    EngineStatus,
    Finished,
    Generation,
    Piece,
    Queued,
    Scored,
    ToolCall,
    Usage,
    type_answer_event,
)
from marketplace.inference.wire import (
    check,
    check_embedding,
    from_embedding,
    from_generation,
    type_event,
)
from marketplace.kernel.errors import CaravanError, Unavailable
from marketplace.kernel.words import noted

log = logging.getLogger(__name__)

RETRY_EVERY_S = 0.05
STATUS_TIMEOUT_S = 2.0
SILENCE_S = 15.0
SEND_TIMEOUT_S = 10.0
MOST_TRIES = 5
MOST_SUSPICIONS = 2
ABSENT = noted(
    "The language model is not running. Start it with `marketplace serve` or "
    "`marketplace engine`, then try again."
)
MUTE = noted("The engine does not answer. Look at its log, or restart it.")


@dataclass(eq=False)
class Asked:
    """One request of ours, over as many engines as it takes."""

    request_id: str
    frame: dict[str, Any]
    cancelled: Event = field(default_factory=Event)
    is_waiting: bool = False
    has_begun: bool = False
    tries: int = 0
    suspicions: int = 0

    def hear(self, event: type_answer_event | Embedded) -> None:
        """Learn from an event how far the engine has come with it."""
        self.is_waiting = isinstance(event, Queued)
        self.has_begun = self.has_begun or isinstance(event, (Piece, Scored, ToolCall))

    def may_be_sent_again(self) -> bool:
        """Whether another engine may try, after the last one ended.

        What was only waiting has not ended it. What was being computed is suspected: it may do
        the same to the next engine, and everybody's answers with it, so it gets one more try.
        """
        self.tries += 1
        self.suspicions += not self.is_waiting
        self.is_waiting = False
        is_trusted = self.suspicions < MOST_SUSPICIONS and self.tries < MOST_TRIES
        return is_trusted and not self.has_begun


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
        self._asked: set[Asked] = set()
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
        with self._lock:
            asked = [each for each in self._asked if each.request_id == request_id]
        for each in asked:
            each.cancelled.set()
        connection = self._connection
        if connection is not None and self._pid == os.getpid():
            for number in connection.numbers_of(request_id):
                self._withdraw(connection, number)

    def forget(self, release: str) -> None:
        """Drop what the engine keeps of a release. An engine that is not there keeps nothing."""
        try:
            self._connect().send({"op": "forget", "n": 0, "release": release})
        except (EngineGone, OSError):
            log.info("There is no engine that could keep anything of %s.", release)

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
            return EngineStatus(ready=False, why_not=MUTE)
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
        asked = Asked(request_id, frame)
        with self._lock:
            self._asked.add(asked)
        try:
            while True:
                try:
                    yield from self._try(asked)
                except EngineGone:
                    if not asked.may_be_sent_again():
                        raise
                    log.warning("The engine ended; request %s is sent to the next.", request_id)
                else:
                    return
        finally:
            with self._lock:
                self._asked.discard(asked)

    def _try(self, asked: Asked) -> Iterator[type_answer_event | Embedded]:
        deadline = time.monotonic() + self._patience_s
        if begun := self._begin(asked, deadline):
            connection, number, queue = begun
            try:
                for event in self._events(queue):
                    asked.hear(event)
                    yield event
            finally:
                if connection.forget(number):
                    self._withdraw(connection, number)
        else:
            # It was cancelled while there was no engine that could have said so.
            yield Finished("cancelled", Usage(), "")

    def _events(self, queue: type_queue) -> Iterator[type_answer_event | Embedded]:
        held: type_event | EngineStatus | None = None
        while True:
            event, held = held or self._next(queue), None
            if isinstance(event, Piece):
                event, held = _gathered(event, queue)
            if isinstance(event, CaravanError):
                raise event
            if not isinstance(event, EngineStatus):
                yield event
            if isinstance(event, (Finished, Embedded)):
                return

    def _next(self, queue: type_queue) -> type_event | EngineStatus:
        while True:
            try:
                return queue.get(timeout=SILENCE_S)
            except Empty:
                # A long prompt is quiet too; an engine that does not even give its status hangs.
                status = self.status()
                if not (status.ready or status.loading):
                    raise EngineGone(GONE) from None

    def _begin(self, asked: Asked, deadline: float) -> tuple[Connection, int, type_queue] | None:
        """Hand a request to an engine, waiting for one; None when it was cancelled before."""
        while not asked.cancelled.is_set():
            try:
                connection = self._connect()
                number, queue = connection.open_request(asked.request_id)
                self._send(connection, number, asked)
            except (EngineGone, OSError) as error:
                # Nothing of the answer can have come yet, so trying again repeats nothing.
                if time.monotonic() >= deadline:
                    raise Unavailable(ABSENT, rule="llm.engine") from error
                asked.cancelled.wait(RETRY_EVERY_S)
            else:
                return connection, number, queue
        return None

    def _send(self, connection: Connection, number: int, asked: Asked) -> None:
        try:
            connection.send({**asked.frame, "n": number})
        except BadFrame as error:
            connection.forget(number)
            raise BadGeneration(str(error), rule="llm.request") from error
        # A cancellation sees the number, or this sees the cancellation.
        if asked.cancelled.is_set():
            self._withdraw(connection, number)

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


def _gathered(piece: Piece, queue: type_queue) -> tuple[Piece, type_event | EngineStatus | None]:
    """All pieces that have come already as one, and what came after them."""
    texts = [piece.text]
    while not queue.empty():
        event = queue.get()
        if not isinstance(event, Piece):
            return Piece("".join(texts)), event
        texts.append(event.text)
    return Piece("".join(texts)), None
