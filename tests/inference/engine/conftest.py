"""The real engine inside the test's process."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pytest

from marketplace.inference.ports import Embedded, Finished, Generation
from marketplace.inference.settings import InferenceSettings
from marketplace.kernel.errors import CaravanError
from tests.inference.conftest import require_llama

ENDS = (Finished, Embedded, CaravanError)


class Bench:
    """One engine with a thread of its own, and answers collected by request."""

    def __init__(
        self,
        path: Path,
        blobs: Path | None = None,
        projector: Path | None = None,
        **settings: Any,
    ) -> None:
        engine = import_module("marketplace.inference.engine.engine")
        self._events: SimpleQueue[list[tuple[Any, Any]]] = SimpleQueue()
        self.engine = engine.Engine(
            path, InferenceSettings(**settings), self._events.put, blobs, projector=projector
        )
        self._thread = Thread(target=self.engine.run)
        self._thread.start()

    def answer(self, *generations: Generation) -> list[list[Any]]:
        """All events of requests that are sent together."""
        for key, generation in enumerate(generations):
            try:
                self.engine.submit(key, generation)
            except CaravanError as error:  # as the seat of a model does
                self._events.put([(key, error)])
        return self.collect(len(generations))

    def collect(self, count: int) -> list[list[Any]]:
        """All events of the requests 0 to `count`."""
        answers: list[list[Any]] = [[] for _ in range(count)]
        while not all(events and isinstance(events[-1], ENDS) for events in answers):
            for key, event in self._events.get(timeout=30):
                answers[key].append(event)
        return answers

    def answer_to(self, key: int) -> list[Any]:
        """All events of the request `key`; what comes for others meanwhile is left out."""
        events: list[Any] = []
        while not (events and isinstance(events[-1], ENDS)):
            events += [event for other, event in self._events.get(timeout=30) if other == key]
        return events

    def close(self) -> None:
        self.engine.stop()
        self._thread.join(10)
        assert not self._thread.is_alive()


type_open = Callable[..., Bench]


@pytest.fixture
def bench() -> Iterator[type_open]:
    """Opens engines and closes them with the test."""
    require_llama()
    opened: list[Bench] = []

    def open_one(path: Path, blobs: Path | None = None, **settings: Any) -> Bench:
        opened.append(Bench(path, blobs, **settings))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()
