"""How fast the machine reads and writes, as measured, and how much a step may take on. Pure."""

from marketplace.inference.sequences import Capacity, Chunk, Lane, Step

SMOOTHING = 0.2  # weight of the newest measurement in a running mean
FIRST_CHUNK = 256  # prompt tokens of a step until one was measured
LEAST_CHUNK = 64  # prompt tokens below which a step is not made smaller: processors slow down
STALL_STEPS = 8  # decoding steps for which answers may wait while prompts are read
LONGEST_STALL_S = 1.0
LONG_STEP_S = 1.0  # for reading, where a step can be broken off
FIRST_DECODE_COST = 2.0  # what a generated token costs, in prompt tokens, until it was measured
HIGHEST_DECODE_COST = 64.0
STUCK_S = 60.0  # what no honest work takes, but the tokens of a step on top
SLOWEST_TOKEN_S = 0.5
FIRST_GUESS_S = 2.0  # service time assumed before any request has ended


def late_at(began_at: float, tokens: int) -> float:
    """When a step must have ended on any machine that is of use; after that it never will."""
    return began_at + STUCK_S + tokens * SLOWEST_TOKEN_S


class Pace:
    """Running means of what steps and requests took.

    Attributes:
        decode_cost: what a generated token costs, in prompt tokens.
        service_s: from a request's admission to its end.
        decode_s: what the newest step took in which nothing was read.
    """

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._prefill_tokens_per_s: float | None = None
        self.decode_cost = FIRST_DECODE_COST
        self.service_s = FIRST_GUESS_S
        self.decode_s = 0.0
        self._lost_s = 0.0

    @property
    def can_stop(self) -> bool:
        """Whether the next step may be a long one, to be broken off for whoever comes.

        After one was broken off, short ones follow until they took as long as it had: at least
        half of the time is spent on steps that count, however often somebody comes.
        """
        return self._capacity.can_stop and self._lost_s <= 0

    def prefill_budget(self, waited_s: float = 0.0, *, has_writers: bool) -> int:
        """Prompt tokens of the next step: as many as memory, fairness and patience allow.

        On a machine that reads 800 tokens a second, a step of 0.15 s takes 120 of them: whoever
        waits for a first token or for a stop to be heard waits no longer. Processors read faster
        in larger steps, so those that can be broken off take up to a second.

        Args:
            waited_s: for how long those who are decoding, if there are any, have waited.
        """
        room = self._capacity.batch_tokens
        if has_writers:
            room = min(room, self._capacity.prefill_chunk)
        step_s = self._capacity.step_s
        if self.can_stop:
            patience_s = self.stall_s - waited_s if has_writers else LONG_STEP_S
            step_s = max(step_s, min(LONG_STEP_S, patience_s))
        return min(room, self._in_time(step_s))

    def chunks(self, lane: Lane, waited_s: float) -> tuple[Chunk, ...]:
        """The prompt tokens of a step: whose app, then who, was given least comes first."""
        ready = [sequence for sequence in lane.prefilling if sequence.waits_for is None]
        ready.sort(key=lambda s: (s.person.app.counter, s.person.counter, s.admission))
        usual = budget = self.prefill_budget(waited_s, has_writers=bool(lane.decoding))
        # A short rest costs a step of its own nearly as much as a long one, so it is read as well.
        most = min(self._capacity.batch_tokens, usual + usual // 2)
        chunks: list[Chunk] = []
        for sequence in ready:
            # Whoever is read to the end waits for no long piece of another app's prompt.
            if chunks and sequence.person.app is not ready[0].person.app:
                at_once = self._in_time(self._capacity.step_s)
                budget = min(budget, at_once - sum(chunk.count for chunk in chunks))
            # Parts of unequal length are computed one after another, and the smallest slowest.
            if chunks and budget < min(LEAST_CHUNK, usual // 2):
                break
            start = sequence.content.length
            end, is_picture = sequence.next_run(start)
            left = end - start
            if is_picture:
                # Whoever was given less is read first, and the picture in the step after.
                return _in_order(chunks) or (Chunk(sequence, start, left, is_picture=True),)
            chunk = Chunk(sequence, start, left if left <= most else min(left, budget))
            chunks.append(chunk)
            budget -= chunk.count
            most = budget
        return _in_order(chunks)

    def beyond(self, took_s: float, tokens: int) -> float:
        """Prompt tokens that could have been read in a time, beyond those booked; 0 at first."""
        return max(0.0, (self._prefill_tokens_per_s or 0.0) * took_s - tokens)

    def _in_time(self, step_s: float) -> int:
        """Prompt tokens that are read in a step of so many seconds."""
        tokens_per_s = self._prefill_tokens_per_s
        return FIRST_CHUNK if tokens_per_s is None else max(LEAST_CHUNK, int(tokens_per_s * step_s))

    @property
    def stall_s(self) -> float:
        """How long answers being written may wait for prompts that are being read.

        A step of few answers costs nearly as much as one of many, so it pays to read first and to
        write together. Writing still has a ninth of the time at least, and a token every second.
        """
        return min(LONGEST_STALL_S, STALL_STEPS * self.decode_s)

    def served(self, took_s: float) -> None:
        """Learn from a request that ended."""
        self.service_s += SMOOTHING * (took_s - self.service_s)

    def broken_off(self, took_s: float) -> None:
        """Note a step whose work is lost."""
        self._lost_s += took_s

    def computed(self, step: Step, took_s: float) -> None:
        """Learn from a step."""
        self._lost_s = max(0.0, self._lost_s - took_s)
        # What a projector took says nothing of how fast texts are read.
        if took_s <= 0 or any(chunk.is_picture for chunk in step.chunks):
            return
        tokens, known = sum(chunk.count for chunk in step.chunks), self._prefill_tokens_per_s
        # Of small chunks most of the time is not for reading them.
        if tokens >= LEAST_CHUNK:
            rate = tokens / took_s
            self._prefill_tokens_per_s = (
                rate if known is None else known + SMOOTHING * (rate - known)
            )
        elif not tokens and step.decoding:
            self.decode_s = took_s
            if known is not None:
                cost = min(HIGHEST_DECODE_COST, took_s / len(step.decoding) * known)
                self.decode_cost += SMOOTHING * (cost - self.decode_cost)


def _in_order(chunks: list[Chunk]) -> tuple[Chunk, ...]:
    return tuple(sorted(chunks, key=lambda chunk: chunk.sequence.place))
