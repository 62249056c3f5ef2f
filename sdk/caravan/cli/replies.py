"""What the person on the dev page says to the forms of one run."""

import queue
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

QUIET_S = 1.0


@dataclass(frozen=True)
class Question:
    """A form that a run waits for; `number` is 1 for the first of its run."""

    number: int
    title: str
    schema: Mapping[str, Any]


class Replies:
    """Between the thread of a run, which waits, and the one that takes a form in."""

    def __init__(self) -> None:
        self._given: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()

    def give(self, values: Mapping[str, Any]) -> None:
        """Answer the form that is asked."""
        self._given.put(values)

    def end(self) -> None:
        """Let nobody wait any more."""
        self._given.put(None)

    def get(self, seconds: float | None = None) -> Mapping[str, Any] | None:
        """The next answer, or None where there will be none. Raises: queue.Empty."""
        return self._given.get(timeout=seconds)
