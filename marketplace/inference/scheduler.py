"""Who decodes next: admission, slots, KV reservation and the prefill budget, on plain data.

The scheduler knows no clock, no model and no thread. Its owner calls `plan`, computes what the
step says, tells `settle` and `sampled` what happened, and calls `end` for whatever ended.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from marketplace.inference.ports import BadGeneration, Usage
from marketplace.kernel.errors import Limited

SMOOTHING = 0.2  # weight of the newest service time in the running mean
FIRST_GUESS_S = 2.0  # service time assumed before any request has ended
LONGEST_RETRY_S = 60
FIRST_CHUNK = 256  # prompt tokens of a step until one was measured
LEAST_CHUNK = 32  # prompt tokens below which a step is not made smaller
ALONE_FACTOR = 4  # how much longer a step may take while nobody waits for its next token


class QueueFull(Limited):
    """More requests wait than the queue may hold."""


class State(StrEnum):
    """Where a sequence is on its way."""

    WAITING = "waiting"
    PREFILLING = "prefilling"
    DECODING = "decoding"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one engine can hold.

    Args:
        slots: sequences computed together.
        slot_tokens: tokens one sequence may hold.
        kv_tokens: tokens all sequences together may reserve.
        batch_tokens: most tokens of one step.
        prefill_chunk: most prompt tokens of a step in which something decodes.
        step_s: how long such a step should take at most, as measured steps foretell it.
    """

    slots: int
    slot_tokens: int
    kv_tokens: int
    batch_tokens: int
    prefill_chunk: int
    queue_per_app: int
    queue_total: int
    step_s: float = 0.25


@dataclass(slots=True, eq=False)
class Sequence:
    """One request on its way through the engine. Instants are monotonic seconds."""

    key: Hashable
    app: str
    prompt_tokens: int
    max_tokens: int
    submitted_at: float
    state: State = State.WAITING
    slot: int = -1
    prefilled: int = 0
    generated: int = 0
    admitted_at: float | None = None
    decoding_since: float | None = None
    ended_at: float | None = None
    reason: str = ""

    @property
    def reserved_tokens(self) -> int:
        """KV cells this sequence may come to need."""
        return self.prompt_tokens + self.max_tokens

    def usage(self) -> Usage:
        """The receipt of an ended sequence: what was really computed, and for how long."""
        ended = self.submitted_at if self.ended_at is None else self.ended_at
        admitted = ended if self.admitted_at is None else self.admitted_at
        decoding = ended if self.decoding_since is None else self.decoding_since
        return Usage(
            prompt_tokens=self.prefilled,
            cached_tokens=0,
            generated_tokens=self.generated,
            queue_ms=round((admitted - self.submitted_at) * 1000),
            prefill_ms=round((decoding - admitted) * 1000),
            decode_ms=round((ended - decoding) * 1000),
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """Prompt tokens `start` to `start + count` of one sequence, to be read in this step."""

    sequence: Sequence
    start: int
    count: int

    @property
    def is_last(self) -> bool:
        """Whether the prompt is complete after this chunk, so that a token can be sampled."""
        return self.start + self.count == self.sequence.prompt_tokens


@dataclass(frozen=True, slots=True)
class Step:
    """One computing step: one token for each of `decoding`, then the prompt chunks."""

    admitted: tuple[Sequence, ...]
    decoding: tuple[Sequence, ...]
    chunks: tuple[Chunk, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compute."""
        return not self.decoding and not self.chunks


class Scheduler:
    """Continuous batching over a fixed number of slots; apps take turns, FIFO inside an app."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self._sequences: dict[Hashable, Sequence] = {}
        self._queues: dict[str, deque[Sequence]] = {}
        self._turns: deque[str] = deque()
        self._waiting = 0
        self._free_slots = list(range(capacity.slots - 1, -1, -1))
        self._free_kv_tokens = capacity.kv_tokens
        self._prefilling: list[Sequence] = []
        self._decoding: tuple[Sequence, ...] = ()
        self._service_s = FIRST_GUESS_S
        self._prefill_tokens_per_s: float | None = None

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot."""
        return self._waiting

    @property
    def active(self) -> int:
        """Requests that hold a slot."""
        return len(self._prefilling) + len(self._decoding)

    @property
    def free_kv_tokens(self) -> int:
        """KV cells that no sequence has reserved."""
        return self._free_kv_tokens

    def find(self, key: Hashable) -> Sequence | None:
        """The sequence of a request that has not ended, if there is one."""
        return self._sequences.get(key)

    def submit(
        self, key: Hashable, *, app: str, prompt_tokens: int, max_tokens: int, now: float
    ) -> Sequence:
        """Queue one request behind its app's others.

        `max_tokens` is cut to what the context holds after the prompt.

        Raises: BadGeneration when the prompt alone does not fit or the key is in use, QueueFull
            when too many wait.
        """
        room = min(self.capacity.slot_tokens, self.capacity.kv_tokens) - prompt_tokens
        if room < 1:
            raise BadGeneration(
                f"The text is {prompt_tokens} tokens long, but the model can hold "
                f"{self.capacity.slot_tokens} together with its answer. Send a shorter text.",
                rule="llm.context",
            )
        if key in self._sequences:
            raise BadGeneration("A request with this number is being answered already.")
        self._refuse_when_full(app)
        sequence = Sequence(
            key=key,
            app=app,
            prompt_tokens=prompt_tokens,
            max_tokens=min(max_tokens, room),
            submitted_at=now,
        )
        queue = self._queues.get(app)
        if queue is None:
            queue = self._queues[app] = deque()
            self._turns.append(app)
        queue.append(sequence)
        self._sequences[key] = sequence
        self._waiting += 1
        return sequence

    def retry_after_s(self) -> int:
        """When one app's next waiting request is likely to be admitted, in whole seconds.

        Every slot takes up a request each `mean service time`, and the apps that wait take turns:
        with 8 slots, 4 s a request and 6 waiting apps, an app gets a turn every 4 / 8 * 6 = 3 s.
        """
        turn_s = self._service_s / self.capacity.slots * max(1, len(self._turns))
        return min(LONGEST_RETRY_S, max(1, ceil(turn_s)))

    def positions(self) -> dict[Hashable, int]:
        """For each waiting request, how many are admitted before it if nobody leaves."""
        order: dict[Hashable, int] = {}
        queues = [list(self._queues[app]) for app in self._turns]
        for turn in range(max(map(len, queues), default=0)):
            for queue in queues:
                if turn < len(queue):
                    order[queue[turn].key] = len(order)
        return order

    def plan(self, now: float) -> Step:
        """Admit what fits and say what to compute next."""
        admitted = tuple(self._admit(now))
        decoding = self._decoding
        budget = self._prefill_budget()
        chunks = []
        for sequence in self._prefilling:
            if budget <= 0:
                break
            count = min(budget, sequence.prompt_tokens - sequence.prefilled)
            chunks.append(Chunk(sequence, sequence.prefilled, count))
            budget -= count
        return Step(admitted, decoding, tuple(chunks))

    def settle(self, step: Step, now: float, took_s: float = 0.0) -> None:
        """Book the prompt tokens that a computed step has read.

        Args:
            took_s: how long the step was computed, from which the size of the next follows.
        """
        tokens = sum(chunk.count for chunk in step.chunks)
        # Small chunks measure the decoding beside them, not how fast prompts are read.
        if tokens >= LEAST_CHUNK and took_s > 0:
            rate, known = tokens / took_s, self._prefill_tokens_per_s
            self._prefill_tokens_per_s = (
                rate if known is None else known + SMOOTHING * (rate - known)
            )
        for chunk in step.chunks:
            sequence = chunk.sequence
            if sequence.state is not State.PREFILLING:
                continue
            sequence.prefilled += chunk.count
            if sequence.prefilled == sequence.prompt_tokens:
                sequence.state = State.DECODING
                sequence.decoding_since = now
                self._prefilling.remove(sequence)
                self._decoding = (*self._decoding, sequence)

    def sampled(self, sequence: Sequence) -> bool:
        """Book one generated token. Returns whether it was the last one allowed."""
        sequence.generated += 1
        return sequence.generated >= sequence.max_tokens

    def end(self, sequence: Sequence, reason: str, now: float) -> None:
        """End a sequence from any state; its slot and reservation are free at once."""
        if sequence.state is State.ENDED:
            return
        if sequence.state is State.WAITING:
            self._leave_queue(sequence)
        else:
            if sequence.state is State.PREFILLING:
                self._prefilling.remove(sequence)
            else:
                self._decoding = tuple(s for s in self._decoding if s is not sequence)
            self._free_slots.append(sequence.slot)
            self._free_kv_tokens += sequence.reserved_tokens
            service_s = now - (now if sequence.admitted_at is None else sequence.admitted_at)
            self._service_s += SMOOTHING * (service_s - self._service_s)
        sequence.state = State.ENDED
        sequence.reason = reason
        sequence.ended_at = now
        del self._sequences[sequence.key]

    def _prefill_budget(self) -> int:
        """Prompt tokens of the next step: as many as memory, fairness and patience allow.

        On a machine that reads 200 tokens a second, a step of 0.25 s beside running answers
        takes 50 of them; alone it may take 200, so that a cancellation waits 1 s at most.
        """
        room = self.capacity.batch_tokens - len(self._decoding)
        step_s = self.capacity.step_s
        if self._decoding:
            room = min(room, self.capacity.prefill_chunk)
        else:
            step_s *= ALONE_FACTOR
        if self._prefill_tokens_per_s is None:
            return min(room, FIRST_CHUNK)
        in_time = self._prefill_tokens_per_s * step_s
        return room if in_time >= room else min(room, max(LEAST_CHUNK, int(in_time)))

    def _admit(self, now: float) -> list[Sequence]:
        admitted = []
        while self._turns and self._free_slots:
            sequence = self._queues[self._turns[0]][0]
            # The next in turn waits for its room rather than being overtaken: nobody starves.
            if sequence.reserved_tokens > self._free_kv_tokens:
                break
            self._queues[sequence.app].popleft()
            self._turns.popleft()
            if self._queues[sequence.app]:
                self._turns.append(sequence.app)
            else:
                del self._queues[sequence.app]
            self._waiting -= 1
            self._free_kv_tokens -= sequence.reserved_tokens
            sequence.slot = self._free_slots.pop()
            sequence.state = State.PREFILLING
            sequence.admitted_at = now
            self._prefilling.append(sequence)
            admitted.append(sequence)
        return admitted

    def _leave_queue(self, sequence: Sequence) -> None:
        queue = self._queues[sequence.app]
        queue.remove(sequence)
        self._waiting -= 1
        if not queue:
            del self._queues[sequence.app]
            self._turns.remove(sequence.app)

    def _refuse_when_full(self, app: str) -> None:
        retry_after_s = self.retry_after_s()
        # A free slot takes up a waiting request at the next plan, so it counts as room.
        free_slots = len(self._free_slots)
        if len(self._queues.get(app, ())) >= self.capacity.queue_per_app + free_slots:
            raise QueueFull(
                f"{self.capacity.queue_per_app} requests of this app are waiting already. "
                f"Try again in {retry_after_s} s.",
                retry_after_s=retry_after_s,
                rule="llm.queue",
            )
        if self._waiting >= self.capacity.queue_total + free_slots:
            raise QueueFull(
                f"The language model has {self._waiting} requests waiting already. "
                f"Try again in {retry_after_s} s.",
                retry_after_s=retry_after_s,
                rule="llm.queue",
            )
