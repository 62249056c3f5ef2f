"""Any order of arrivals, cancellations and steps: nothing is lost, leaks or is counted twice."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    get_state_machine_test,
    invariant,
    multiple,
    rule,
)

from marketplace.inference.ports import BadGeneration, QueueFull
from marketplace.inference.scheduler import Scheduler
from marketplace.inference.sequences import Capacity, Request, Sequence, State, Step

SMALL = Capacity(
    slots=3,
    guests=1,
    kept=2,
    slot_tokens=32,
    batch_tokens=16,
    prefill_chunk=4,
    least_shared=2,
    queue_per_app=4,
    queue_total=7,
)
SYSTEMS = ((1, 2, 3, 4, 5, 6), (1, 2, 3, 9), ())


@dataclass(frozen=True)
class Cell:
    """One token in a place: what it is, and who put it there."""

    token: int
    namespace: Hashable
    person: str
    is_shared: bool


class Life(RuleBasedStateMachine):
    """Keeps the cells as llama.cpp would, and simple counts of what happened to each request."""

    requests: Bundle[int] = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(SMALL)
        self.alive: dict[Hashable, Sequence] = {}
        self.asked: dict[Hashable, Request] = {}
        self.made: dict[Hashable, list[int]] = {}
        self.cells: list[list[Cell]] = [[] for _ in range(SMALL.slots + SMALL.guests + SMALL.kept)]
        self.now = 0.0
        self.next_key = 0

    @rule(
        target=requests,
        app=st.sampled_from("ab"),
        person=st.sampled_from(["", "i", "j"]),
        release=st.sampled_from("12"),
        adapter=st.sampled_from([None, None, "pirate"]),
        system=st.sampled_from(SYSTEMS),
        typed=st.lists(st.integers(1, 3), min_size=1, max_size=30),
        answer=st.integers(1, 40),
        weight=st.sampled_from([1.0, 2.0]),
    )
    def arrive(
        self,
        app: str,
        person: str,
        release: str,
        adapter: str | None,
        system: tuple[int, ...],
        typed: list[int],
        answer: int,
        weight: float,
    ) -> int:
        self.next_key += 1
        request = Request(
            key=self.next_key,
            app=app,
            person=person,
            namespace=f"{app}@{release}",
            adapter=adapter,
            prompt=np.array([*system, *typed], dtype=np.int32),
            shared=len(system),
            max_tokens=answer,
            weight=weight,
        )
        try:
            self.alive[self.next_key] = self.scheduler.submit(request, self.now)
        except (QueueFull, BadGeneration):
            return multiple()
        self.asked[self.next_key], self.made[self.next_key] = request, []
        return self.next_key

    @rule(key=consumes(requests))
    def cancel(self, key: int) -> None:
        if key in self.alive:
            self.end(self.alive[key], "cancelled")

    @rule(ends=st.booleans(), took_s=st.sampled_from([0.0, 0.001, 1000.0]))
    def step(self, *, ends: bool, took_s: float) -> None:
        self.now += 0.01
        step = self.scheduler.plan(self.now)
        self.transfer(step)
        assert step.tokens <= SMALL.batch_tokens
        assert not (step.decoding and step.chunks)
        members = step.sequences
        assert len({s.place for s in members}) == len(members) <= SMALL.slots + SMALL.guests
        assert all(s.adapter == step.adapter for s in members)
        assert [s.place for s in step.decoding] == sorted(s.place for s in step.decoding)
        for sequence in step.decoding:
            self.write(sequence, sequence.content.length, 1)
        for chunk in step.chunks:
            self.write(chunk.sequence, chunk.start, chunk.count)
        self.scheduler.settle(step, self.now, took_s)
        for sequence in (*step.decoding, *(c.sequence for c in step.chunks if c.is_last)):
            token = 10 + len(self.made[sequence.key]) % 3
            self.made[sequence.key].append(token)
            if self.scheduler.sampled(sequence, token) or ends:
                self.end(sequence, "length")

    @rule(is_stopped=st.booleans())
    def fail(self, *, is_stopped: bool) -> None:
        """A step cannot be computed, maybe after somebody stopped in the middle of it."""
        step = self.scheduler.plan(self.now)
        self.transfer(step)
        if is_stopped and step.sequences:
            self.end(step.sequences[0], "cancelled")
        for sequence in step.sequences:
            self.cells[sequence.place] = []
            if sequence.state is State.ENDED:
                self.scheduler.lose(sequence)
            else:
                self.end(sequence, "failed", is_lost=True)

    @rule()
    def run_out_of_cells(self) -> None:
        running = [s for s in self.alive.values() if s.place >= 0]
        before = self.scheduler.active
        places = self.scheduler.make_room(self.now)
        for place in places:
            self.cells[place] = []
        assert places or before < 2
        assert before - self.scheduler.active in {0, 1}
        assert all(key in self.alive for key in (s.key for s in running))

    def text(self, sequence: Sequence) -> list[int]:
        return [*self.asked[sequence.key].prompt.tolist(), *self.made[sequence.key]]

    def transfer(self, step: Step) -> None:
        held: dict[int, Sequence] = {s.place: s for s in self.alive.values() if s.place >= 0}
        for transfer in step.transfers:
            taken = self.cells[transfer.source][: transfer.count]
            assert len(taken) == transfer.count
            self.cells[transfer.place] = taken
            if (sequence := held.get(transfer.place)) is not None:
                self.check_may_read(sequence, taken)

    def check_may_read(self, sequence: Sequence, cells: list[Cell]) -> None:
        request = self.asked[sequence.key]
        for position, cell in enumerate(cells):
            assert cell.namespace == (request.namespace, request.adapter)
            is_own = bool(request.person) and cell.person == request.person
            may_share = cell.is_shared and position < request.shared
            assert is_own or may_share or cell.person == f"request {sequence.key}"

    def write(self, sequence: Sequence, start: int, count: int) -> None:
        """The cells hold exactly what came before; then what the step computes is added."""
        request = self.asked[sequence.key]
        text = self.text(sequence)
        place = self.cells[sequence.place]
        assert [cell.token for cell in place] == text[:start]
        self.check_may_read(sequence, place)
        for position in range(start, start + count):
            place.append(
                Cell(
                    text[position],
                    (request.namespace, request.adapter),
                    request.person or f"request {sequence.key}",
                    is_shared=position < request.shared,
                )
            )

    def end(self, sequence: Sequence, reason: str, *, is_lost: bool = False) -> None:
        self.scheduler.end(sequence, reason, self.now, is_lost=is_lost)
        del self.alive[sequence.key]
        usage, made = sequence.usage(), len(self.made[sequence.key])
        assert usage.generated_tokens == made <= sequence.max_tokens
        assert usage.cached_tokens <= usage.prompt_tokens <= len(self.asked[sequence.key].prompt)
        if made:
            assert usage.prompt_tokens == len(self.asked[sequence.key].prompt)
        assert min(usage.queue_ms, usage.prefill_ms, usage.decode_ms, usage.kv_token_ms) >= 0

    @invariant()
    def places_belong_to_exactly_the_active(self) -> None:
        active = [s for s in self.alive.values() if s.state is not State.WAITING]
        waiting = [s for s in self.alive.values() if s.state is State.WAITING]
        assert self.scheduler.active == len(active) <= SMALL.slots + SMALL.guests
        assert len({s.place for s in active}) == len(active)
        assert all(s.place == -1 for s in waiting)
        assert self.scheduler.waiting == len(waiting)
        assert set(self.scheduler.positions()) == {s.key for s in waiting}
        assert 0 <= self.scheduler._ledger.cells <= len(self.cells) * SMALL.slot_tokens
        assert all(self.scheduler._sequences[key] is s for key, s in self.alive.items())

    def teardown(self) -> None:
        """Everything that was admitted or waits comes to its end without further arrivals."""
        for _ in range(2000):
            if not self.alive:
                break
            self.step(ends=False, took_s=0.01)
        assert not self.alive
        assert (self.scheduler.active, self.scheduler.waiting) == (0, 0)


# Four fifths of what other properties try: a life is long.
test_life = pytest.mark.fuzz(
    get_state_machine_test(
        Life,
        settings=settings(max_examples=settings().max_examples * 4 // 5, stateful_step_count=40),
    )
)
