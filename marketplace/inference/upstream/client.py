"""`Inference` over servers of the OpenAI dialect, for all threads of a process."""

import asyncio
import logging
import os
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from itertools import count
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

from marketplace.inference.ports import (
    Embedded,
    Embedding,
    EngineGone,
    EngineStatus,
    Finished,
    Generation,
    Usage,
    type_answer_event,
)
from marketplace.inference.upstream.courier import GONE, RULE, UNREACHABLE, Courier
from marketplace.inference.upstream.settings import UpstreamSettings
from marketplace.inference.upstream.turnstile import Bounds
from marketplace.inference.wire import check, check_embedding
from marketplace.kernel.errors import CaravanError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0  # how old what a status says of the servers may be
LOOK_S = 8.0
CLOSE_S = 5.0

type_event = type_answer_event | Embedded | CaravanError
type_events = SimpleQueue[type_event]


class Office:
    """One process's event loop on a thread of its own, and the courier in it."""

    def __init__(self, settings: UpstreamSettings, bounds: Bounds) -> None:
        self.pid = os.getpid()
        self.opened_at = time.monotonic()
        self.courier = Courier(settings, bounds)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="upstream", daemon=True)
        self._thread.start()
        self._numbers = count()
        # Only the loop's thread touches these.
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._numbers_of: dict[str, set[int]] = {}

    def generate(self, generation: Generation, events: type_events) -> int:
        """Begin an answer, whose events go to `events`. Returns: the number of the request."""
        return self._begin(
            generation.request_id, self.courier.generate(generation, events.put), events
        )

    def embed(self, embedding: Embedding, events: type_events) -> int:
        """Begin to make vectors, which go to `events`. Returns: the number of the request."""
        return self._begin(embedding.request_id, self._embed(embedding, events), events)

    def look(self) -> "Future[int]":
        """Ask the servers what they offer."""
        return asyncio.run_coroutine_threadsafe(self.courier.look(), self._loop)

    def stop(self, number: int) -> None:
        """End one request, unless it ended with the loop."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop, number)

    def stop_all_of(self, request_id: str) -> None:
        """End every request of an id."""
        self._loop.call_soon_threadsafe(self._stop_all_of, request_id)

    def close(self) -> None:
        """End every request, close the connections and end the loop."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(CLOSE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_S)
        self._loop.close()

    def _begin(self, request_id: str, work: Coroutine[Any, Any, None], events: type_events) -> int:
        number = next(self._numbers)
        self._loop.call_soon_threadsafe(self._start, number, request_id, work, events)
        return number

    def _start(
        self, number: int, request_id: str, work: Coroutine[Any, Any, None], events: type_events
    ) -> None:
        task = self._tasks[number] = self._loop.create_task(work)
        self._numbers_of.setdefault(request_id, set()).add(number)
        task.add_done_callback(lambda done: self._finish(number, request_id, done, events))

    def _finish(
        self, number: int, request_id: str, task: asyncio.Task[None], events: type_events
    ) -> None:
        del self._tasks[number]
        self._numbers_of[request_id].discard(number)
        if not self._numbers_of[request_id]:
            del self._numbers_of[request_id]
        if task.cancelled():  # before it began: it could not say so itself
            events.put(Finished("cancelled", Usage(), self.courier.model_name))
            return
        error = task.exception()
        if isinstance(error, CaravanError):
            events.put(error)
        elif error is not None:
            # One request that trips over a bug must not take the others with it.
            log.error("A request to the servers tripped.", exc_info=error)
            events.put(EngineGone(GONE, rule=RULE))

    def _stop(self, number: int) -> None:
        if number in self._tasks:
            self._tasks[number].cancel()

    def _stop_all_of(self, request_id: str) -> None:
        for number in self._numbers_of.get(request_id, ()):
            self._stop(number)

    async def _embed(self, embedding: Embedding, events: type_events) -> None:
        events.put(await self.courier.embed(embedding))

    async def _end(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.courier.close()


class Upstream:
    """`Inference` over other machines; one object serves all threads of a process.

    Fairness, queues and receipts stay here; the servers are given no more than they can do.

    Args:
        bounds: how many requests this process may have with the servers, and waiting.
    """

    def __init__(self, settings: UpstreamSettings, bounds: Bounds) -> None:
        self._settings = settings
        self._bounds = bounds
        self._lock = Lock()
        self._office: Office | None = None
        self._last_look: Future[int] | None = None
        self._next_look: Future[int] | None = None
        self._looked_at = 0.0

    def generate(self, generation: Generation) -> Iterator[type_answer_event]:
        """Stream one answer; see `Inference.generate`."""
        check(generation)
        office, events = self._here(), type_events()
        number = office.generate(generation, events)
        is_over = False
        try:
            while not is_over:
                event = events.get()
                is_over = isinstance(event, (Finished, CaravanError))
                if isinstance(event, CaravanError):
                    raise event
                if not isinstance(event, Embedded):
                    yield event
        finally:
            if not is_over:
                office.stop(number)

    def embed(self, embedding: Embedding) -> Embedded:
        """Turn texts into vectors; see `Inference.embed`."""
        check_embedding(embedding)
        events = type_events()
        self._here().embed(embedding, events)
        event = events.get()
        if isinstance(event, Embedded):
            return event
        if isinstance(event, CaravanError):
            raise event
        raise EngineGone(GONE, rule=RULE)  # it was cancelled

    def cancel(self, request_id: str) -> None:
        """Stop a request from any thread; its iterator then ends with `cancelled`."""
        self._here().stop_all_of(request_id)

    def forget(self, release: str) -> None:
        """Nothing: other machines let go of what nobody uses by themselves."""
        log.debug("The servers keep %s until they need its room.", release)

    def status(self) -> EngineStatus:
        """What the servers offer, a few seconds ago at most, and what goes on now."""
        office = self._here()
        answering, why_not = 0, None
        try:
            answering = self._look(office).result(LOOK_S)
        except CaravanError as error:
            why_not = error.message
        except TimeoutError:
            why_not = UNREACHABLE
        courier = office.courier
        servers = len(courier.nodes)
        where = " ".join(self._settings.addresses)
        return EngineStatus(
            ready=why_not is None,
            why_not=why_not,
            model=courier.model_name or None,
            models=courier.served if courier.model_name else (),
            context=courier.listed.context if courier.listed else None,
            max_sequences=self._bounds.in_flight,
            why_device=f"Other machines compute, {answering} of {servers} answer: {where} "
            f"({self._settings.dialect}).",
            active=courier.turnstile.in_flight,
            waiting=courier.turnstile.waiting,
            tokens_per_s=courier.tokens_per_s,
            prompt_tokens_total=courier.prompt_tokens,
            generated_tokens_total=courier.generated_tokens,
            uptime_s=int(time.monotonic() - office.opened_at),
        )

    def close(self) -> None:
        """End every request and close the connections; a later request opens new ones."""
        with self._lock:
            office, self._office = self._office, None
        if office is not None and office.pid == os.getpid():
            office.close()

    def _here(self) -> Office:
        with self._lock:
            # A forked child has its parent's memory, but not its threads.
            if self._office is None or self._office.pid != os.getpid():
                self._office = Office(self._settings, self._bounds)
                self._last_look = self._next_look = None
            return self._office

    def _look(self, office: Office) -> "Future[int]":
        """The newest finished look at the servers; a first one is waited for."""
        now = time.monotonic()
        with self._lock:
            if self._next_look is not None and self._next_look.done():
                self._last_look, self._next_look = self._next_look, None
            is_stale = self._last_look is None or now - self._looked_at > LOOK_EVERY_S
            if self._next_look is None and is_stale:
                self._next_look, self._looked_at = office.look(), now
            look = self._last_look or self._next_look
        assert look is not None  # without a last one, there is a next one
        return look
