"""The decode loop: one thread that plans, computes, samples and reports, step by step."""

import time
from collections.abc import Callable, Hashable
from collections.abc import Sequence as Listing
from math import isfinite
from threading import Condition, Lock

from marketplace.inference.engine.adapters import set_adapter
from marketplace.inference.engine.batch import BatchWriter
from marketplace.inference.engine.context import ComputeFailed, Context, NoRoom, Stopped, type_rows
from marketplace.inference.engine.eyes import CannotSee
from marketplace.inference.engine.model import Model
from marketplace.inference.engine.sampling import NO_TOKEN, Candidates
from marketplace.inference.engine.tickets import Ticket
from marketplace.inference.lookup import Costs
from marketplace.inference.pace import late_at
from marketplace.inference.ports import BadGeneration, Finished, ModelUnavailable, Queued
from marketplace.inference.rate import Rate
from marketplace.inference.scheduler import POSITIONS_TOLD, Scheduler
from marketplace.inference.scores import scored
from marketplace.inference.sequences import Capacity, Sequence, State, Step
from marketplace.inference.wire import type_event

type_events = list[tuple[Hashable, type_event]]
POSITIONS_EVERY_S = 0.2


class Decoder:
    """Owns the scheduler and the context.

    The thread inside `run` holds the scheduler but for the time in which llama.cpp computes. So a
    request is queued or turned away, and a wish to stop answered, however long a step takes.

    Args:
        emit: takes events, from the decode thread and from those that cancel; it must not block.
        clock: monotonic seconds.
        guesses: most tokens guessed ahead in a step; 0 for a cache that cannot take them back.
    """

    def __init__(
        self,
        model: Model,
        context: Context,
        capacity: Capacity,
        emit: Callable[[type_events], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        guesses: int = 0,
    ) -> None:
        self._model_name = model.name
        self._ends = model.vocabulary.ends
        self._context = context
        self._can_stop = capacity.can_stop
        self._scheduler = Scheduler(capacity)
        self._emit = emit
        self._clock = clock
        self._guesses = guesses
        self._costs = Costs()
        self._candidates = Candidates(model.vocab_size)
        self._changed = Condition()
        # Who waits for the scheduler keeps the door, so that no quick step gets it before them.
        self._door = Lock()
        self._is_stopping = False
        self._forgotten: list[str] = []
        self._computing: Step | None = None
        self._leaving: list[Ticket] = []  # what llama.cpp may still be looking at
        self._tickets: dict[Hashable, Ticket] = {}
        self._events: type_events = []
        self._batch = BatchWriter(context)
        self._positions_at = 0.0
        self.generated = Rate(clock())
        self.late_at: float | None = None  # by `clock`; None between steps
        self.prompt_tokens = self.cached_tokens = 0
        self.guessed_tokens = self.right_tokens = self.steps = 0
        self.busy_s = 0.0  # everything but the waiting for a first request
        self.compute_s = 0.0  # the part of `busy_s` spent inside llama.cpp's computing
        self._awake_since = clock()

    @property
    def active(self) -> int:
        """Requests that are being computed."""
        return self._scheduler.active

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot."""
        return self._scheduler.waiting

    @property
    def preempted(self) -> int:
        """Requests that were put back for others."""
        return self._scheduler.preempted

    @property
    def tokens_per_s(self) -> float:
        """Generated tokens a second over the last seconds; 0 when nothing has run for a while."""
        return self.generated.per_s(self._clock())

    def refuse_when_full(self, app: str) -> None:
        """Raise QueueFull when one more request of an app would be turned away; from any thread."""
        with self._door, self._changed:
            self._scheduler.refuse_when_full(app)

    def submit(self, ticket: Ticket) -> None:
        """Queue a request, from any thread.

        Raises: BadGeneration or QueueFull; the ticket is still the caller's then.
        """
        app = ticket.request.app
        with self._door, self._changed:
            ticket.sequence = self._scheduler.submit(ticket.request, self._clock())
            self._tickets[ticket.key] = ticket
            # Whoever is near the front is told its exact place as it changes, the others once.
            if (behind := self._scheduler.waiting - 1) > POSITIONS_TOLD:
                ticket.position = behind
                self._tell(ticket, Queued(behind))
            step = self._computing
            if step is not None and step.can_stop and app not in step.reading:
                self._context.wish(to_stop=True)
            self._changed.notify()

    def cancel(self, key: Hashable) -> None:
        """End a request at once, from any thread. Unknown keys are ignored.

        A step of which most was for requests that have ended is broken off: others lose less by
        that than they wait for otherwise.
        """
        with self._door, self._changed:
            if (ticket := self._tickets.get(key)) is None:
                return
            self._end(ticket, "cancelled", self._clock())
            self._flush()
            if self._computing is not None and self._computing.is_mostly_over:
                self._context.wish(to_stop=True)

    def forget(self, namespace: str) -> None:
        """Keep nothing of a namespace from the next step on, from any thread."""
        with self._door, self._changed:
            self._forgotten.append(namespace)
            self._changed.notify()

    def stop(self) -> None:
        """End the loop, from any thread."""
        with self._door, self._changed:
            self._is_stopping = True
            self._context.wish(to_stop=True)
            self._changed.notify()

    def run(self) -> None:
        """Decode until told to stop. Runs in the engine's one decode thread."""
        with self._changed:
            while self._has_work():
                self._step()
                self._tell_positions()
                # Booked before the events go out: who sees an answer end sees its time as well.
                now = self._clock()
                self.busy_s += now - self._awake_since
                self._awake_since = now
                self._flush()
                self.late_at = None
            for ticket in list(self._tickets.values()):
                ticket.close()

    def _has_work(self) -> bool:
        """Wait for a request. Returns whether there is one; there is none at the end."""
        while not self._is_stopping:
            for namespace in self._forgotten:
                for place in self._scheduler.forget(namespace):
                    self._context.forget(place)
            self._forgotten.clear()
            if self._tickets:
                return True
            self._changed.wait()
            self._awake_since = self._clock()
        return False

    def _step(self) -> None:
        began = self._clock()
        step = self._scheduler.plan(began)
        for transfer in step.transfers:
            self._batch.transfer(transfer)
        if step.is_empty:
            return
        self.late_at = late_at(began, step.tokens)
        outputs = self._batch.write(step, self._tickets)
        guess = self._guess(step)
        self._set_adapter(step)
        computing_since = self._clock()
        try:
            self._compute(step)
        except Stopped:
            self._break_off(step, self._clock() - computing_since)
            return
        except NoRoom:
            self._make_room(step)
            return
        except (CannotSee, ComputeFailed) as error:
            self._fail(step, str(error))
            return
        now = self._clock()
        self.steps += 1
        self._scheduler.settle(step, now, now - began)
        if step.chunks:
            self.prompt_tokens += step.tokens
        else:
            self._batch.computed()
        if len(step.decoding) == 1:
            self._costs.measured(now - computing_since, is_guessed=bool(guess))
        if guess:
            self._check(step.decoding[0], guess, now)
        elif outputs:
            self._sample(outputs, now)

    def _compute(self, step: Step) -> None:
        """Compute the batch, while other threads may queue requests and end them."""
        if not self._is_stopping:
            self._context.wish(to_stop=False)
        picture = next((chunk for chunk in step.chunks if chunk.is_picture), None)
        sight = None if picture is None else self._tickets[picture.sequence.key].sight
        self._computing = step
        began = self._clock()
        self._changed.release()
        try:
            if picture is not None and sight is not None:
                sight.show(picture, self._context)
            self._context.compute(can_stop=self._can_stop)
        finally:
            self.compute_s += self._clock() - began
            with self._door:
                self._changed.acquire()
            self._computing = None
            while self._leaving:
                self._leaving.pop().close()

    def _break_off(self, step: Step, took_s: float) -> None:
        self._scheduler.broken_off(took_s)
        for sequence in step.sequences:
            self._context.transfer(sequence.place, sequence.place, sequence.content.length)

    def _guess(self, step: Step) -> list[int]:
        """Add to the batch what may come next, where one answer is written alone.

        With others in the step the computing is shared already, and each guess would cost it.
        """
        if len(step.decoding) != 1 or not self._guesses:
            return []
        sequence, content = step.decoding[0], step.decoding[0].content
        most = min(self._guesses, sequence.max_tokens - sequence.generated - 1)
        ticket = self._batch.tickets[0]
        begin = sequence.text_start
        guess = ticket.lookup.guess(content.tokens[begin : content.known], self._costs, most=most)
        if guess:
            self._context.put_guess(sequence.place, guess, content.length + 1)
        return guess

    def _check(self, sequence: Sequence, guess: list[int], now: float) -> None:
        """Take the tokens as far as the guess was right and the one after; forget the rest."""
        ticket, place = self._batch.tickets[0], sequence.place
        if ticket.is_over:
            return
        logits = self._context.logits(1 + len(guess))
        self.compute_s += self._clock() - now
        right = taken = 0
        for row, guessed in enumerate([*guess, NO_TOKEN]):
            token = self._pick(ticket, row, logits[row], int(logits[row].argmax()), now)
            taken += token is not None
            if token != guessed or ticket.is_over:
                break
            # Its keys and values are in the cells already, computed with the guess.
            sequence.hold(sequence.content.length + 1, now)
            self._batch.move_on(place)
            right += 1
        self._context.transfer(place, place, sequence.content.length)
        ticket.lookup.checked(right)
        self.guessed_tokens += len(guess)
        self.right_tokens += right
        self.generated.add(taken, now)

    def _set_adapter(self, step: Step) -> None:
        """Compute with the adapter that all of a step's sequences have in common."""
        lease = self._tickets[step.sequences[0].key].lease
        set_adapter(self._context, None if lease is None else lease.adapter)

    def _sample(self, outputs: Listing[tuple[Ticket, int]], now: float) -> None:
        logits = self._context.logits(len(outputs))
        # A GPU computes on after `compute` returns; reading its logits is what waits for it.
        self.compute_s += self._clock() - now
        best = logits.argmax(axis=1).tolist()
        for row, (ticket, index) in enumerate(outputs):
            # Whoever was cancelled while the step was computed has its receipt.
            if not ticket.is_over:
                self._pick(ticket, index, logits[row], best[row], now)
        self.generated.add(len(outputs), now)

    def _pick(
        self, ticket: Ticket, index: int, logits: type_rows, best: int, now: float
    ) -> int | None:
        """Choose and take the next token of an answer. Returns it, or None when it failed."""
        if ticket.lease is not None and not isfinite(logits[best]):
            self._fail_adapter(ticket, now)
            return None
        token = best
        if not ticket.sampler.is_greedy:
            try:
                token = ticket.sampler.pick(self._context, index, logits, self._candidates)
            except BadGeneration as error:
                self._release(ticket, "failed", now)
                self._tell(ticket, error)
                return None
        if ticket.logprobs is not None and token != NO_TOKEN and not self._ends[token]:
            score = scored(logits, token, ticket.pieces, ticket.logprobs)
            self._tell(ticket, score)
        self._take(ticket, token, now)
        return token

    def _take(self, ticket: Ticket, token: int, now: float) -> None:
        if token == NO_TOKEN or self._ends[token]:
            self._end(ticket, "stop", now)
            return
        sequence = ticket.sequence
        assert sequence is not None  # a ticket in a step was admitted
        is_last = self._scheduler.sampled(sequence, token)
        self._tell(ticket, *ticket.answer.push(ticket.pieces[token]))
        if ticket.answer.is_stopped:
            self._end(ticket, "stop", now)
        elif is_last:
            self._end(ticket, "length", now)
        else:
            self._batch.take(sequence.place, token)

    def _end(self, ticket: Ticket, reason: str, now: float) -> None:
        sequence = self._release(ticket, reason, now)
        finished = Finished(reason, sequence.usage(), self._model_name)
        self._tell(ticket, *ticket.answer.finish(), finished)

    def _release(
        self, ticket: Ticket, reason: str, now: float, *, is_lost: bool = False
    ) -> Sequence:
        sequence = ticket.sequence
        assert sequence is not None  # only enqueued tickets are released
        self._scheduler.end(sequence, reason, now, is_lost=is_lost)
        self.cached_tokens += sequence.cached
        if self._computing is None:
            ticket.close()
        else:
            self._leaving.append(ticket)
        del self._tickets[ticket.key]
        return sequence

    def _make_room(self, step: Step) -> None:
        """Free cells and let the next plan try again; fail one request only if it is alone."""
        places = self._scheduler.make_room(self._clock())
        for place in places:
            self._context.forget(place)
        if not places:
            self._fail(step, "its text does not fit into the model's memory")

    def _fail(self, step: Step, reason: str) -> None:
        now = self._clock()
        sentence = f"The model could not compute this answer ({reason}). Try again."
        for sequence in step.sequences:
            self._context.forget(sequence.place)
            if sequence.state is State.ENDED:
                self._scheduler.lose(sequence)
            else:
                ticket = self._tickets[sequence.key]
                self._release(ticket, "failed", now, is_lost=True)
                self._tell(ticket, ModelUnavailable(sentence, rule="llm.compute"))

    def _fail_adapter(self, ticket: Ticket, now: float) -> None:
        """End an answer whose adapter makes numbers that no sampler may see."""
        assert ticket.sequence is not None  # it has just been computed
        self._context.forget(ticket.sequence.place)
        self._release(ticket, "failed", now, is_lost=True)
        sentence = (
            "The adapter of this app makes numbers that are too large to compute with. "
            "Its developer has to train it again with a smaller scale."
        )
        self._tell(ticket, BadGeneration(sentence, rule="llm.adapter"))

    def _tell_positions(self) -> None:
        now = self._clock()
        if not self._scheduler.waiting or now < self._positions_at:
            return
        self._positions_at = now + POSITIONS_EVERY_S
        for key, position in self._scheduler.positions().items():
            ticket = self._tickets[key]
            if ticket.position != position:
                ticket.position = position
                self._tell(ticket, Queued(position))

    def _tell(self, ticket: Ticket, *events: type_event) -> None:
        self._events += [(ticket.key, event) for event in events]

    def _flush(self) -> None:
        if self._events:
            self._emit(self._events)
            self._events = []
