"""Which texts are turned into vectors together: apps take turns by what they were given. Pure."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from marketplace.inference.fairness import FairQueue, Person, charge
from marketplace.inference.ports import QueueFull

LONGEST_RETRY_S = 60
FIRST_GUESS_S = 0.05  # a text takes, until one was made
SMOOTHING = 0.2  # weight of the newest time in the running mean


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
    person: str
    texts: tuple[Any, ...]
    submitted_at: float
    begun: int = 0
    begun_at: float | None = None
    computed_s: float = 0.0
    account: "Person[Job]" = field(init=False)
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
        self._queue: FairQueue[Job] = FairQueue()
        self._jobs: dict[Hashable, Job] = {}
        self._text_s = FIRST_GUESS_S

    def computed(self, texts: int, took_s: float) -> None:
        """Book how long texts took that were computed together."""
        self._text_s += SMOOTHING * (took_s / texts - self._text_s)

    def retry_after_s(self) -> int:
        """When everything that waits now is likely to be done, in whole seconds."""
        texts = sum(len(job.texts) - job.begun for job in self._jobs.values())
        return min(LONGEST_RETRY_S, max(1, ceil(texts * self._text_s)))

    @property
    def waiting(self) -> int:
        """Requests of which a text has not been handed out."""
        return self._queue.waiting

    def submit(self, job: Job) -> None:
        """Queue one request behind its app's others. Raises: QueueFull."""
        of_app = self._queue.waiting_of(job.app)
        if of_app >= self._queue_per_app or self.waiting >= self._queue_total:
            retry_after_s = self.retry_after_s()
            raise QueueFull(
                f"{of_app or self.waiting} requests for vectors are waiting already. "
                f"Try again in {retry_after_s} s.",
                retry_after_s=retry_after_s,
                rule="llm.queue",
            )
        job.account = self._queue.person(job.app, job.person, weight=1.0)
        self._queue.push(job.account, job.key, job)
        self._jobs[job.key] = job

    def withdraw(self, key: Hashable) -> Job | None:
        """Take a request out of the queue. Returns: the request, if it still waited there."""
        job = self._jobs.pop(key, None)
        if job is not None:
            self._queue.remove(job.account, key)
        return job

    def take(self) -> type_batch:
        """The next texts to compute together, as (request, position of the text)."""
        batch: type_batch = []
        room = self._batch_tokens
        while len(batch) < self._batch_texts and (job := self._queue.first()):
            size = len(job.texts[job.begun])
            # The next in turn begins the next batch rather than being overtaken.
            if size > room:
                break
            room -= size
            charge(job.account, size)
            batch.append((job, job.begun))
            job.begun += 1
            if job.begun == len(job.texts):
                self.withdraw(job.key)
        return batch
