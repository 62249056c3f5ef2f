"""Where requests with pictures are prepared one by one, so that no other request waits for them."""

import logging
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from marketplace.inference.lines import Lines
from marketplace.inference.ports import Finished, Generation, ModelUnavailable, QueueFull, Usage
from marketplace.inference.wire import type_event
from marketplace.kernel.errors import CaravanError

log = logging.getLogger(__name__)

RETRY_S = 5


class Anteroom:
    """A thread that prepares requests, apps in turn; every method may be called from any thread.

    Args:
        prepare: prepares a request and hands it on; it may raise what the request is answered with.
        withdraw: ends a request that was handed on.
        emit: takes events; it must not block.
        per_app: requests of one app that may wait here.
        model: whose name stands on the receipt of a request that is ended here.
    """

    def __init__(
        self,
        prepare: Callable[[Hashable, Generation], None],
        withdraw: Callable[[Hashable], None],
        emit: Callable[[list[tuple[Hashable, type_event]]], None],
        *,
        per_app: int,
        model: str,
    ) -> None:
        self._prepare = prepare
        self._withdraw = withdraw
        self._emit = emit
        self._per_app = per_app
        self._model = model
        self._lines: Lines[Generation] = Lines()
        self._cancelled: set[Hashable] = set()
        self._present: Hashable | None = None
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="anteroom")

    def submit(self, key: Hashable, generation: Generation) -> None:
        """Take a request. Raises: QueueFull when too many of its app are here."""
        if not self._lines.put(generation.app, key, generation, most=self._per_app):
            raise QueueFull(
                f"{self._per_app} requests of this app with pictures are waiting already. "
                f"Try again in {RETRY_S} s.",
                retry_after_s=RETRY_S,
                rule="llm.queue",
            )
        self._pool.submit(self._take)

    def cancel(self, key: Hashable) -> None:
        """End a request that waits here at once, one that is being prepared right after that."""
        with self._lock:
            if self._lines.pull(key) is None:
                if key == self._present:
                    self._cancelled.add(key)
                return
        self._emit([(key, Finished("cancelled", Usage(), self._model))])

    def close(self) -> None:
        """Prepare nothing more, and return when nothing is being prepared."""
        self._pool.shutdown(cancel_futures=True)

    def _take(self) -> None:
        with self._lock:
            if (turn := self._lines.take()) is None:
                return
            key, generation = turn
            self._present = key
        try:
            self._prepare(key, generation)
        except CaravanError as error:
            self._emit([(key, error)])
        except Exception:
            # One request that trips over a bug must not take the others with it.
            log.exception("A request with pictures could not be prepared.")
            sentence = "The language model could not read this request. Try another one."
            self._emit([(key, ModelUnavailable(sentence, rule="llm.prepare"))])
        with self._lock:
            self._present = None
            is_cancelled = key in self._cancelled
            self._cancelled.discard(key)
        if is_cancelled:
            self._withdraw(key)
