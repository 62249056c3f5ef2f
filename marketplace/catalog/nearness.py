"""Which apps mean what somebody searches for, found within a moment or not at all."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from importlib import import_module
from queue import Empty, SimpleQueue
from threading import Lock, Semaphore, Thread
from typing import TYPE_CHECKING, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from marketplace.catalog.models_meaning import Meaning
from marketplace.inference.ports import Embedded, Embedding, Inference
from marketplace.infra.db import Database
from marketplace.kernel.errors import CaravanError, Invalid
from marketplace.kernel.ids import AppId, new_id

if TYPE_CHECKING:
    from marketplace.catalog.vectors import Vectors

ASKER = "store.search"
LONGEST_QUERY = 200
BUDGET_S = 0.15
# An engine that failed or was late is left alone so long: no search waits for it meanwhile.
REST_S = 5.0
MOST_ASKED = 4
KEEP_S = 600.0
MOST_KEPT = 1000
LOOK_EVERY_S = 30.0
# Rows may be committed a little after others that were made later.
OVERLAP = timedelta(minutes=1)

log = structlog.get_logger()


class Meanings(Protocol):
    """What search asks for apps by their meaning."""

    def near(self, query: str) -> Mapping[AppId, float]:
        """Apps that mean something near to a query, and how near, 0 to 1.

        Answers within a moment and never raises: what cannot be told now is nothing.
        """


class NoMeanings:
    """For a store without an engine: nothing is known of what apps mean."""

    def near(self, query: str) -> Mapping[AppId, float]:
        """Nothing."""
        return {}


class Nearness:
    """`Meanings` by the vectors of the database, as a matrix in this process, and the engine.

    Both are asked in threads of their own, so a search never waits longer than the budget, and
    without a database session. A vector that comes too late serves the next search.

    Args:
        clock: seconds that only grow.
        budget_s: the longest a search waits for the vector of its query.
    """

    def __init__(
        self,
        database: Database,
        inference: Inference,
        *,
        clock: Callable[[], float] = time.monotonic,
        budget_s: float = BUDGET_S,
    ) -> None:
        self._database = database
        self._inference = inference
        self._clock = clock
        self._budget_s = budget_s
        self._lock = Lock()
        self._free = Semaphore(MOST_ASKED)
        self._kept: OrderedDict[str, tuple[float, Embedded]] = OrderedDict()
        self._rests_until = self._looks_at = clock()
        self._vectors: Vectors | None = None
        self._newest: datetime | None = None

    def near(self, query: str) -> Mapping[AppId, float]:
        """See `Meanings.near`."""
        self._look_soon()
        words = " ".join(query[:LONGEST_QUERY].split())
        if self._vectors is None or not words:
            return {}
        made = self._vector(words)
        # What came late may be of a model that has been replaced since.
        vectors = self._vectors
        if made is None or vectors is None or made.model != vectors.model:
            return {}
        return vectors.near(made.vectors[0])

    def refresh(self) -> None:
        """Take up the vectors that were made since the last time; the next look is a while off."""
        with self._lock:
            self._looks_at = self._clock() + LOOK_EVERY_S
        with self._database.reading() as session:
            newest = session.exec(
                select(Meaning.made_at).order_by(col(Meaning.made_at).desc()).limit(1)
            ).first()
            if newest is None:
                self._vectors, self._newest = None, None
                return
            if newest == self._newest:
                return
            wanted = select(Meaning.app_id, Meaning.locale, Meaning.model, Meaning.vector).order_by(
                col(Meaning.made_at)
            )
            if self._newest is not None:
                wanted = wanted.where(col(Meaning.made_at) > self._newest - OVERLAP)
            rows = session.exec(wanted).all()
        # A store without vectors never reads the library that computes with them.
        self._vectors = import_module("marketplace.catalog.vectors").joined(self._vectors, rows)
        self._newest = newest

    def _look_soon(self) -> None:
        with self._lock:
            now = self._clock()
            if now < self._looks_at:
                return
            # Before the look begins, so that it is one thread's alone.
            self._looks_at = now + LOOK_EVERY_S
        Thread(target=self._look, name="meanings", daemon=True).start()

    def _look(self) -> None:
        try:
            self.refresh()
        except SQLAlchemyError as error:
            # The vectors of the last time serve until the next look.
            log.warning("meanings.not_refreshed", error=str(error))

    def _vector(self, words: str) -> Embedded | None:
        with self._lock:
            until, made = self._kept.get(words, (0.0, None))
            if made is not None and self._clock() < until:
                self._kept.move_to_end(words)
                return made
            if self._clock() < self._rests_until:
                return None
        if not self._free.acquire(blocking=False):
            return None
        answer: SimpleQueue[Embedded | None] = SimpleQueue()
        Thread(target=self._embed, args=(words, answer), name="meaning", daemon=True).start()
        try:
            return answer.get(timeout=self._budget_s)
        except Empty:
            self._rest()
            return None

    def _embed(self, words: str, answer: "SimpleQueue[Embedded | None]") -> None:
        made = None
        try:
            made = self._inference.embed(Embedding(new_id().hex, ASKER, "", (words,)))
            self._keep(words, made)
        except Invalid:
            log.info("meanings.query_refused")
        except CaravanError as error:
            log.info("meanings.engine_refused", error=error.message)
            self._rest()
        finally:
            self._free.release()
            answer.put(made)

    def _keep(self, words: str, made: Embedded) -> None:
        with self._lock:
            self._kept[words] = (self._clock() + KEEP_S, made)
            self._kept.move_to_end(words)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)

    def _rest(self) -> None:
        with self._lock:
            self._rests_until = self._clock() + REST_S
