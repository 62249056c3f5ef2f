"""Which texts are turned into vectors together: apps take turns, text by text. Pure."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from marketplace.inference.ports import QueueFull

RETRY_AFTER_S = 2


@dataclass(slots=True, eq=False)
class Job:
    """One request: its texts as tokens, and the vectors made so far.

    Args:
        submitted_at: monotonic seconds, as are the other instants.
        begun: how many of its texts were handed out.
        vectors: by the position of the text, None until it is made.
    """

    key: Hashable
    app: str
    texts: tuple[Any, ...]
    submitted_at: float
    begun: int = 0
    begun_at: float | None = None
    computed_s: float = 0.0
    vectors: list[tuple[float, ...] | None] = field(init=False)

    def __post_init__(self) -> None:
        self.vectors = [None] * len(self.texts)

    @property
    def tokens(self) -> int:
        """Tokens of all texts."""
        return sum(len(text) for text in self.texts)

    @property
    def is_done(self) -> bool:
        """Whether every text has its vector."""
        return None not in self.vectors


type_batch = list[tuple[Job, int]]


class EmbeddingQueue:
    """Requests that wait for vectors.

    Args:
        batch_tokens: the most tokens computed together; no text may be longer.
        batch_texts: the most texts computed together.
    """

    def __init__(
        self, *, batch_tokens: int, batch_texts: int, queue_per_app: int, queue_total: int
    ) -> None:
        self._batch_tokens = batch_tokens
        self._batch_texts = batch_texts
        self._queue_per_app = queue_per_app
        self._queue_total = queue_total
        self._apps: dict[str, deque[Job]] = {}
        self._turns: deque[str] = deque()

    @property
    def waiting(self) -> int:
        """Requests of which a text has not been handed out."""
        return sum(map(len, self._apps.values()))

    def submit(self, job: Job) -> None:
        """Queue one request behind its app's others. Raises: QueueFull."""
        of_app = len(self._apps.get(job.app, ()))
        if of_app >= self._queue_per_app or self.waiting >= self._queue_total:
            raise QueueFull(
                f"{of_app or self.waiting} requests for vectors are waiting already. "
                f"Try again in {RETRY_AFTER_S} s.",
                retry_after_s=RETRY_AFTER_S,
                rule="llm.queue",
            )
        if job.app not in self._apps:
            self._apps[job.app] = deque()
            self._turns.append(job.app)
        self._apps[job.app].append(job)

    def withdraw(self, key: Hashable) -> Job | None:
        """Take a request out of the queue. Returns: the request, if it still waited there."""
        for app, jobs in self._apps.items():
            for job in jobs:
                if job.key == key:
                    jobs.remove(job)
                    if not jobs:
                        self._drop(app)
                    return job
        return None

    def take(self) -> type_batch:
        """The next texts to compute together, as (request, position of the text)."""
        batch: type_batch = []
        room = self._batch_tokens
        while self._turns and len(batch) < self._batch_texts:
            app = self._turns[0]
            job = self._apps[app][0]
            size = len(job.texts[job.begun])
            # The next in turn begins the next batch rather than being overtaken.
            if size > room:
                break
            room -= size
            batch.append((job, job.begun))
            job.begun += 1
            self._turns.rotate(-1)
            if job.begun == len(job.texts):
                self._apps[app].popleft()
                if not self._apps[app]:
                    self._drop(app)
        return batch

    def _drop(self, app: str) -> None:
        del self._apps[app]
        self._turns.remove(app)
