"""What the scheduler works with: requests, the sequences they become, and the steps of those."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import StrEnum

from marketplace.inference import fairness
from marketplace.inference.fairness import Person
from marketplace.inference.ledger import Transfer
from marketplace.inference.ports import Usage
from marketplace.inference.prefixes import Content, type_tokens


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
        guests: places beyond those, for an app of which nothing runs while others fill the slots.
        kept: places that hold the system prompts of releases.
        slot_tokens: tokens one sequence may hold.
        batch_tokens: most tokens of one step.
        prefill_chunk: most prompt tokens of a step in which something decodes.
        least_shared: fewest tokens worth taking over from another place.
        step_s: how long a step should take at most, as measured steps foretell it.
        can_stop: whether a step can be broken off when somebody comes or leaves.
    """

    slots: int
    slot_tokens: int
    batch_tokens: int
    prefill_chunk: int
    queue_per_app: int
    queue_total: int
    guests: int = 0
    kept: int = 0
    least_shared: int = 16
    step_s: float = 0.15
    can_stop: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the scheduler.

    Args:
        namespace: within which prompts may share what was computed.
        adapter: the adapter it is computed with; only one adapter's sequences share a step.
        shared: how many of the prompt's first tokens everyone in the namespace may share.
        pictures: the positions in the prompt that are no tokens but the rows of one picture each.
        weight: the app's share beside others' of 1.
    """

    key: Hashable
    app: str
    prompt: type_tokens
    max_tokens: int
    person: str = ""
    namespace: Hashable = ""
    adapter: str | None = None
    shared: int = 0
    weight: float = 1.0
    pictures: tuple[range, ...] = ()


@dataclass(slots=True, eq=False)
class Sequence:
    """One request on its way through the engine. Instants are monotonic seconds.

    Args:
        to_read: tokens that are read before the next one is sampled: the prompt, and after a
            preemption what was generated before it.
        unread: tokens booked on its person's account that were not read yet.
        waits_for: another's prompt that is being read and has its beginning in common.
        admission: the number of its admission; the newest has the highest.
        read: prompt tokens read so far, the `cached` ones included.
    """

    key: Hashable
    person: "Person[Sequence]"
    adapter: str | None
    content: Content
    prompt_tokens: int
    max_tokens: int
    since: float
    pictures: tuple[range, ...] = ()
    state: State = State.WAITING
    to_read: int = 0
    unread: int = 0
    waits_for: "Shared | None" = None
    read: int = 0
    cached: int = 0
    generated: int = 0
    preemptions: int = 0
    admission: int = 0
    admitted_at: float = 0.0
    reason: str = ""
    spent_s: dict[State, float] = field(default_factory=dict)
    kv_token_s: float = 0.0
    kv_at: float = 0.0

    @property
    def place(self) -> int:
        """The place it computes in, or -1."""
        return self.content.place

    @property
    def text_start(self) -> int:
        """Behind its last picture, where all is text."""
        return self.pictures[-1].stop if self.pictures else 0

    def next_run(self, start: int) -> tuple[int, bool]:
        """Where what is at `start` ends, a picture or a text, and whether it is a picture."""
        for picture in self.pictures:
            if start < picture.start:
                return picture.start, False
            if start < picture.stop:
                return picture.stop, True
        return self.to_read, False

    def move_to(self, state: State, now: float) -> None:
        """Change the state and book the time the last one took."""
        self.spent_s[self.state] = self.spent_s.get(self.state, 0.0) + now - self.since
        self.state, self.since = state, now

    def hold(self, tokens: int, now: float) -> None:
        """Book the memory held since the last change, and that `tokens` are held from now on."""
        self.kv_token_s += self.content.length * (now - self.kv_at)
        self.kv_at, self.content.length = now, tokens
        self.read = max(self.read, min(tokens, self.prompt_tokens))

    def was_read(self, tokens: int) -> None:
        """Take tokens off what is booked and unread."""
        tokens = min(tokens, self.unread)
        self.unread -= tokens
        fairness.await_reading(self.person, -tokens)

    def usage(self) -> Usage:
        """The receipt of an ended sequence: what was really computed, and for how long.

        What a preemption made the engine compute twice is counted once.
        """
        queue_s, prefill_s, decode_s = (
            self.spent_s.get(state, 0.0)
            for state in (State.WAITING, State.PREFILLING, State.DECODING)
        )
        return Usage(
            prompt_tokens=self.read,
            cached_tokens=self.cached,
            generated_tokens=self.generated,
            queue_ms=round(queue_s * 1000),
            prefill_ms=round(prefill_s * 1000),
            decode_ms=round(decode_s * 1000),
            kv_token_ms=round(self.kv_token_s * 1000),
        )


@dataclass(frozen=True, slots=True)
class Shared:
    """The first `count` tokens of `leader`, once they are read."""

    leader: Sequence
    content: Content
    count: int

    @property
    def is_pending(self) -> bool:
        """Whether waiting still makes sense."""
        is_reading = self.leader.state is State.PREFILLING and self.leader.content is self.content
        return is_reading and self.content.length < self.count


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens `start` to `start + count` of one sequence, to be read in this step.

    A picture is read whole, in a step of its own: one batch has rows or tokens, never both.
    """

    sequence: Sequence
    start: int
    count: int
    is_picture: bool = False

    @property
    def is_last(self) -> bool:
        """Whether everything is read after this chunk, so that a token can be sampled."""
        return self.start + self.count == self.sequence.to_read


@dataclass(frozen=True, slots=True)
class Step:
    """One computing step: first the transfers, then one token for each of `decoding`, or chunks.

    Both `decoding` and `chunks` are ordered by place.

    Args:
        can_stop: it is a long one, to be broken off when another app comes.
    """

    adapter: str | None = None
    transfers: tuple[Transfer, ...] = ()
    decoding: tuple[Sequence, ...] = ()
    chunks: tuple[Chunk, ...] = ()
    can_stop: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compute."""
        return not self.decoding and not self.chunks

    @property
    def sequences(self) -> tuple[Sequence, ...]:
        """Whom it is computed for."""
        return (*self.decoding, *(chunk.sequence for chunk in self.chunks))

    @property
    def tokens(self) -> int:
        """How many tokens are computed."""
        return len(self.decoding) + sum(chunk.count for chunk in self.chunks)

    @property
    def reading(self) -> set[str]:
        """The apps whose prompts it reads."""
        return {chunk.sequence.person.app.name for chunk in self.chunks}

    @property
    def is_mostly_over(self) -> bool:
        """Whether most of its tokens are for requests that have ended meanwhile."""
        counts = [1] * len(self.decoding) + [chunk.count for chunk in self.chunks]
        over = (n for s, n in zip(self.sequences, counts, strict=True) if s.state is State.ENDED)
        return 2 * sum(over) > self.tokens


@dataclass(slots=True, eq=False)
class Lane:
    """The sequences of one adapter: only they are computed together.

    Args:
        written_at: when those who decode last had a token each.
        has_read: whether something was read since.
    """

    prefilling: list[Sequence] = field(default_factory=list)
    written_at: float = 0.0
    has_read: bool = False
    decoding: tuple[Sequence, ...] = ()
    shares: "tuple[tuple[Person[Sequence], int], ...]" = ()

    def set_decoding(self, sequences: list[Sequence]) -> None:
        """Take over who decodes, in the order of their places."""
        self.decoding = tuple(sorted(sequences, key=lambda sequence: sequence.place))
        counts: dict[Person[Sequence], int] = {}
        for sequence in sequences:
            counts[sequence.person] = counts.get(sequence.person, 0) + 1
        self.shares = tuple(counts.items())

    @property
    def is_ready(self) -> bool:
        """Whether it has something to compute now."""
        return bool(self.decoding) or any(s.waits_for is None for s in self.prefilling)
