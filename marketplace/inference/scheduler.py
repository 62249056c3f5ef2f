"""Who decodes next: admission, the prefill budget and preemption, on plain data.

The scheduler knows no clock, no model and no thread. Its owner calls `plan`, computes what the
step says, tells `settle` and `sampled` what happened, and calls `end` for whatever ended.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import replace
from itertools import chain, count, islice
from math import ceil

import numpy as np

from marketplace.inference import fairness
from marketplace.inference.fairness import App, FairQueue
from marketplace.inference.ledger import Ledger, Transfer
from marketplace.inference.pace import Pace
from marketplace.inference.ports import BadGeneration, QueueFull
from marketplace.inference.prefixes import Content, coming
from marketplace.inference.sequences import (
    Capacity,
    Lane,
    Request,
    Sequence,
    Shared,
    State,
    Step,
)

LONGEST_RETRY_S = 60
MOST_PREEMPTIONS = 2  # times one request may be put back, so that it comes to its end
LEAST_GAP = 1024  # prompt tokens by which two apps may be apart without anything being put back
POSITIONS_TOLD = 64  # waiting requests whose exact place in the queue is worked out


class Scheduler:
    """Continuous batching over a fixed number of places, fair to apps and then to people.

    What an app was given counts at three points: whose request is admitted, whose prompt is read
    first in a step, and whose answer is put back when a place is needed.
    """

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self.preempted = 0
        self._ledger = Ledger(
            running=capacity.slots + capacity.guests,
            kept=capacity.kept,
            least=capacity.least_shared,
        )
        self._sequences: dict[Hashable, Sequence] = {}
        self._queue: FairQueue[Sequence] = FairQueue()
        self._lanes: OrderedDict[str | None, Lane] = OrderedDict()
        self._admissions = count()
        self._read: list[Content] = []
        self._pace = Pace(capacity)

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return self._queue.waiting

    @property
    def active(self) -> int:
        """Requests that hold a place."""
        return self._ledger.live

    def submit(self, request: Request, now: float) -> Sequence:
        """Queue one request behind its person's others.

        `max_tokens` is cut to what the context holds after the prompt.

        Raises: BadGeneration when the prompt alone does not fit or the key is in use, QueueFull
            when too many wait.
        """
        prompt_tokens = len(request.prompt)
        room = self.capacity.slot_tokens - prompt_tokens
        if room < 1:
            raise BadGeneration(
                f"The text is {prompt_tokens} tokens long, but the model can hold "
                f"{self.capacity.slot_tokens} together with its answer. Send a shorter text.",
                rule="llm.context",
            )
        if request.key in self._sequences:
            raise BadGeneration("A request with this number is being answered already.")
        self.refuse_when_full(request.app)
        person = self._queue.person(request.app, request.person, weight=request.weight)
        max_tokens = min(request.max_tokens, room)
        tokens = np.empty(prompt_tokens + max_tokens, dtype=np.int32)
        tokens[:prompt_tokens] = request.prompt
        content = Content(
            namespace=(request.namespace, request.adapter),
            app=request.app,
            person=request.person,
            tokens=tokens,
            known=prompt_tokens,
            shared=request.shared,
        )
        sequence = Sequence(
            key=request.key,
            person=person,
            adapter=request.adapter,
            content=content,
            prompt_tokens=prompt_tokens,
            max_tokens=max_tokens,
            since=now,
            pictures=request.pictures,
        )
        self._queue.push(person, sequence.key, sequence)
        self._sequences[sequence.key] = sequence
        return sequence

    def refuse_when_full(self, app: str) -> None:
        """Raise QueueFull when one more request of an app would be one too many."""
        retry_after_s = self.retry_after_s()
        # A free slot takes up a waiting request at the next plan, so it counts as room.
        free_slots = max(0, self.capacity.slots - self._ledger.live)
        if self._queue.waiting_of(app) >= self.capacity.queue_per_app + free_slots:
            raise QueueFull(
                f"{self.capacity.queue_per_app} requests of this app are waiting already. "
                f"Try again in {retry_after_s} s.",
                retry_after_s=retry_after_s,
                rule="llm.queue",
            )
        if self._queue.waiting >= self.capacity.queue_total + free_slots:
            raise QueueFull(
                f"The language model has {self._queue.waiting} requests waiting already. "
                f"Try again in {retry_after_s} s.",
                retry_after_s=retry_after_s,
                rule="llm.queue",
            )

    def retry_after_s(self) -> int:
        """When one app's next waiting request is likely to be admitted, in whole seconds.

        Every slot takes up a request each `mean service time`, and the apps that wait take turns:
        with 8 slots, 4 s a request and 6 waiting apps, an app gets a turn every 4 / 8 * 6 = 3 s.
        """
        turn_s = self._pace.service_s / self.capacity.slots * max(1, self._queue.apps_waiting)
        return min(LONGEST_RETRY_S, max(1, ceil(turn_s)))

    def positions(self) -> dict[Hashable, int]:
        """For the next waiting requests, how many are admitted before each if nobody leaves."""
        next_ones = enumerate(islice(self._queue.in_order(), POSITIONS_TOLD))
        return {sequence.key: position for position, sequence in next_ones}

    def plan(self, now: float) -> Step:
        """Admit what fits and say what to compute next."""
        transfers = [*self._keep(now), *self._follow(now), *self._admit(now)]
        if not transfers and (move := self._ledger.close_gap()) is not None:
            transfers.append(move)
            for lane in self._lanes.values():
                lane.set_decoding(list(lane.decoding))
        for adapter, lane in self._lanes.items():
            if lane.is_ready:
                self._lanes.move_to_end(adapter)
                return self._step(adapter, lane, tuple(transfers), now)
        return Step(transfers=tuple(transfers))

    def _step(
        self, adapter: str | None, lane: Lane, transfers: tuple[Transfer, ...], now: float
    ) -> Step:
        """Read or write. Computed in one step the two would cost the sum of both."""
        waited_s = now - lane.written_at if lane.has_read else 0.0
        is_due = lane.has_read and waited_s >= self._pace.stall_s
        if not (lane.decoding and is_due) and (chunks := self._pace.chunks(lane, waited_s)):
            return Step(adapter, transfers, chunks=chunks, can_stop=self._pace.can_stop)
        return Step(adapter, transfers, lane.decoding)

    def settle(self, step: Step, now: float, took_s: float = 0.0) -> None:
        """Book what a computed step has read and written.

        Args:
            took_s: how long the step was computed, from which the size of the next follows.
        """
        self._pace.computed(step, took_s)
        if (lane := self._lanes.get(step.adapter)) is None:
            return
        lane.has_read = bool(step.chunks)
        if step.decoding:
            lane.written_at = now
            for person, decoding in lane.shares:
                fairness.charge(person, self._pace.decode_cost * decoding)
        for sequence in step.decoding:
            if sequence.state is State.DECODING:
                sequence.hold(sequence.content.length + 1, now)
        has_read = []
        for chunk in step.chunks:
            sequence = chunk.sequence
            if sequence.state is not State.PREFILLING:
                continue
            sequence.hold(chunk.start + chunk.count, now)
            if chunk.is_picture:
                # It was booked like so many words; a projector takes longer.
                fairness.charge(sequence.person, self._pace.beyond(took_s, chunk.count))
            sequence.was_read(sequence.unread if chunk.is_last else chunk.count)
            if chunk.is_last:
                sequence.move_to(State.DECODING, now)
                lane.prefilling.remove(sequence)
                self._read.append(sequence.content)
                has_read.append(sequence)
        if has_read:
            lane.set_decoding([*lane.decoding, *has_read])

    def broken_off(self, took_s: float) -> None:
        """Note that a step was not computed to its end; what it was to read stays unread."""
        self._pace.broken_off(took_s)

    def sampled(self, sequence: Sequence, token: int) -> bool:
        """Book one generated token. Returns whether it was the last one allowed."""
        content = sequence.content
        content.tokens[content.known] = token
        content.known += 1
        sequence.generated += 1
        return sequence.generated >= sequence.max_tokens

    def end(self, sequence: Sequence, reason: str, now: float, *, is_lost: bool = False) -> None:
        """End a sequence from any state; its place is free at once.

        Args:
            is_lost: its cells can no longer be relied on, so nobody may take them over.
        """
        if sequence.state is State.ENDED:
            return
        if sequence.state is State.WAITING:
            self._queue.remove(sequence.person, sequence.key)
        else:
            self._leave(sequence, now)
            if is_lost:
                self._ledger.drop(sequence.content)
            self._pace.served(now - sequence.admitted_at)
        sequence.move_to(State.ENDED, now)
        sequence.reason = reason
        del self._sequences[sequence.key]

    def lose(self, sequence: Sequence) -> None:
        """Let nobody take over what a sequence that has ended left in its place."""
        self._ledger.drop(sequence.content)

    def forget(self, namespace: str) -> list[int]:
        """Drop what is kept of a release that nobody runs any more; what runs goes on.

        Returns: the places to be emptied.
        """

        def is_gone(known: Hashable) -> bool:
            return isinstance(known, tuple) and known[0] == namespace

        self._read = [content for content in self._read if not is_gone(content.namespace)]
        return self._ledger.forget(is_gone)

    def make_room(self, now: float) -> list[int]:
        """Free cells after llama.cpp found none: idle places first, then one request is put back.

        Returns: the places to be emptied; none when a single request is left that could not.
        """
        if idle := self._ledger.evict():
            return idle
        running = list(self._running())
        if len(running) < 2:
            return []
        victim = max(running, key=lambda s: (s.person.app.counter, s.admission))
        place = victim.place
        self._put_back(victim, now)
        self._ledger.evict()
        return [place]

    def _running(self) -> Iterator[Sequence]:
        for lane in self._lanes.values():
            yield from chain(lane.decoding, lane.prefilling)

    def _keep(self, now: float) -> list[Transfer]:
        """The copies that keep system prompts which were read in the last step."""
        kept, self._read = [self._ledger.keep(content, now) for content in self._read], []
        return [transfer for transfer in kept if transfer is not None]

    def _follow(self, now: float) -> list[Transfer]:
        """The copies for those who waited until another had read their common beginning."""
        transfers = []
        for lane in self._lanes.values():
            for sequence in lane.prefilling:
                if sequence.waits_for is not None and not sequence.waits_for.is_pending:
                    match = self._ledger.match(sequence.content)
                    cached = match.count if match is not None else 0
                    sequence.waits_for = self._leader(lane, sequence, cached)
                    if sequence.waits_for is None:
                        transfers.append(
                            self._ledger.fill(sequence.content, match, sequence.place, now)
                        )
                        self._begin(sequence, now)
        return transfers

    def _admit(self, now: float) -> list[Transfer]:
        transfers = []
        while (sequence := self._queue.first()) is not None and self._has_place(sequence, now):
            self._queue.remove(sequence.person, sequence.key)
            lane = self._lanes.setdefault(sequence.adapter, Lane())
            match = self._ledger.match(sequence.content)
            cached = match.count if match is not None else 0
            sequence.waits_for = self._leader(lane, sequence, cached)
            if sequence.waits_for is not None:
                match, cached = None, sequence.waits_for.count
            fairness.enter(sequence.person)
            # What a preemption throws away is computed again at the store's expense.
            if not sequence.preemptions:
                sequence.unread = sequence.content.known - cached
                fairness.charge(sequence.person, sequence.unread)
                fairness.await_reading(sequence.person, sequence.unread)
            sequence.to_read = sequence.content.known
            sequence.admitted_at, sequence.admission = now, next(self._admissions)
            sequence.move_to(State.PREFILLING, now)
            lane.prefilling.append(sequence)
            transfers.append(self._ledger.open(sequence.content, match, now))
            self._begin(sequence, now)
        return transfers

    def _begin(self, sequence: Sequence, now: float) -> None:
        sequence.kv_at = now
        sequence.hold(sequence.content.length, now)
        if not sequence.preemptions:
            sequence.cached = sequence.content.length

    def _leader(self, lane: Lane, sequence: Sequence, cached: int) -> Shared | None:
        """Whose prompt is worth waiting for, next to the `cached` tokens that are there already."""
        reading = {
            id(other.content): other
            for other in lane.prefilling
            if other.waits_for is None and other.content.namespace == sequence.content.namespace
        }
        contents = [other.content for other in reading.values()]
        match = coming(sequence.content, contents, least=cached + self.capacity.least_shared)
        if match is None:
            return None
        return Shared(reading[id(match.content)], match.content, match.count)

    def _has_place(self, sequence: Sequence, now: float) -> bool:
        """Whether there is a place for the next in turn, if need be by putting another back."""
        slots, app = self.capacity.slots, sequence.person.app
        if self._ledger.live < slots:
            return True
        if app.running:
            return False
        if self._ledger.free and any(s.person.app.running > 1 for s in self._running()):
            return True
        victim = self._victim(app)
        if victim is not None:
            self._put_back(victim, now)
        return victim is not None

    def _victim(self, app: "App[Sequence]") -> Sequence | None:
        """Whom to put back for an app of which nothing runs; the newest of whoever was given most.

        Fair game is an app that holds over one slot more than its share, or was given more by what
        would be thrown away. Of 8 slots, an app that holds all keeps 5 when others
        come one by one, 4 when two come together.
        """
        apps = {id(s.person.app): s.person.app for s in self._running()}
        per_weight = self.capacity.slots / (app.weight + sum(a.weight for a in apps.values()))
        victims = [
            s
            for s in self._running()
            if s.preemptions < MOST_PREEMPTIONS
            if (rich := s.person.app).running > 1 + ceil(per_weight * rich.weight)
            or (rich.counter - app.counter) * rich.weight > max(LEAST_GAP, s.content.length)
        ]
        return max(victims, key=lambda s: (s.person.app.counter, s.admission), default=None)

    def _put_back(self, sequence: Sequence, now: float) -> None:
        """Take a place away; the sequence goes on with what it made, before its person's others."""
        content = sequence.content
        self._leave(sequence, now)
        sequence.content = replace(
            content, place=-1, length=0, known=sequence.prompt_tokens + sequence.generated
        )
        sequence.waits_for = None
        sequence.preemptions += 1
        sequence.move_to(State.WAITING, now)
        self._queue.push(sequence.person, sequence.key, sequence, is_back=True)
        self.preempted += 1

    def _leave(self, sequence: Sequence, now: float) -> None:
        """Take a sequence out of its lane and its place; what the place holds stays."""
        lane = self._lanes[sequence.adapter]
        if sequence.state is State.PREFILLING:
            lane.prefilling.remove(sequence)
        else:
            lane.set_decoding([other for other in lane.decoding if other is not sequence])
        if not lane.prefilling and not lane.decoding:
            del self._lanes[sequence.adapter]
        content = sequence.content
        sequence.hold(content.length, now)
        content.known = content.length
        self._ledger.close(content, now)
        sequence.was_read(sequence.unread)
        fairness.leave(sequence.person)
