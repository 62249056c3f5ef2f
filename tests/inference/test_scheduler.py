"""Who is admitted, what a step computes, and that nothing is ever lost or counted twice."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from marketplace.inference.ports import BadGeneration
from marketplace.inference.scheduler import Capacity, QueueFull, Scheduler, Sequence, State, Step

SMALL = Capacity(
    slots=2,
    slot_tokens=32,
    kv_tokens=64,
    batch_tokens=16,
    prefill_chunk=4,
    queue_per_app=3,
    queue_total=5,
)


def submit(
    scheduler: Scheduler, key: object, app: str = "a", *, prompt: int = 4, answer: int = 4
) -> Sequence:
    return scheduler.submit(key, app=app, prompt_tokens=prompt, max_tokens=answer, now=0.0)


def compute(scheduler: Scheduler, now: float = 0.0) -> tuple[Step, list[Sequence]]:
    """Carry out one step as the engine does; the sequences that got their last token."""
    step = scheduler.plan(now)
    scheduler.settle(step, now)
    sampling = [*step.decoding, *(chunk.sequence for chunk in step.chunks if chunk.is_last)]
    complete = [sequence for sequence in sampling if scheduler.sampled(sequence)]
    for sequence in complete:
        scheduler.end(sequence, "length", now)
    return step, complete


def test_a_request_is_admitted_prefilled_and_decoded_to_its_last_token() -> None:
    scheduler = Scheduler(SMALL)
    sequence = submit(scheduler, 1, prompt=5, answer=3)
    step, _ = compute(scheduler)
    assert [(chunk.start, chunk.count, chunk.is_last) for chunk in step.chunks] == [(0, 5, True)]
    compute(scheduler)
    _, complete = compute(scheduler)
    assert complete == [sequence]
    assert (sequence.prefilled, sequence.generated, sequence.state) == (5, 3, State.ENDED)
    assert scheduler.plan(0.0).is_empty


def test_apps_take_turns_and_each_app_is_first_in_first_out() -> None:
    scheduler = Scheduler(replace(SMALL, slots=1, queue_per_app=9, queue_total=9))
    for key, app in (("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("c1", "c"), ("b2", "b")):
        submit(scheduler, key, app)
    assert scheduler.positions() == {"a1": 0, "b1": 1, "c1": 2, "a2": 3, "b2": 4, "a3": 5}
    order = []
    while (step := scheduler.plan(0.0)).admitted:
        [sequence] = step.admitted
        order.append(sequence.key)
        scheduler.end(sequence, "cancelled", 0.0)
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_prompts_fill_the_batch_alone_but_only_a_chunk_beside_running_answers() -> None:
    scheduler = Scheduler(SMALL)
    submit(scheduler, 1, prompt=20, answer=8)
    assert [chunk.count for chunk in compute(scheduler)[0].chunks] == [16]
    assert [chunk.count for chunk in compute(scheduler)[0].chunks] == [4]
    submit(scheduler, 2, prompt=10, answer=8)
    step, _ = compute(scheduler)
    assert len(step.decoding) == 1
    assert [(chunk.sequence.key, chunk.start, chunk.count) for chunk in step.chunks] == [(2, 0, 4)]


def test_a_slow_machine_reads_prompts_in_steps_that_stay_short() -> None:
    roomy = replace(SMALL, slot_tokens=4096, kv_tokens=8192, batch_tokens=512, prefill_chunk=256)
    scheduler = Scheduler(roomy)
    submit(scheduler, 1, prompt=800, answer=100)
    step = scheduler.plan(0.0)
    assert [chunk.count for chunk in step.chunks] == [256]
    scheduler.settle(step, 1.28, took_s=1.28)  # 200 tokens a second: 200 in 4 * 0.25 s
    step = scheduler.plan(3.0)
    assert [chunk.count for chunk in step.chunks] == [200]
    scheduler.settle(step, 4.0, took_s=1.0)
    scheduler.settle(scheduler.plan(4.0), 5.0, took_s=1.0)
    scheduler.settle(scheduler.plan(5.0), 5.72, took_s=0.72)
    submit(scheduler, 2, prompt=800, answer=100)
    assert [chunk.count for chunk in scheduler.plan(6.0).chunks] == [50]  # beside an answer


def test_the_slowest_machine_still_reads_a_little_in_every_step() -> None:
    scheduler = Scheduler(replace(SMALL, slot_tokens=4096, kv_tokens=8192, batch_tokens=512))
    submit(scheduler, 1, prompt=800, answer=100)
    scheduler.settle(scheduler.plan(0.0), 256.0, took_s=256.0)
    assert [chunk.count for chunk in scheduler.plan(513.0).chunks] == [32]


def test_a_full_app_queue_is_refused_with_the_time_to_come_back() -> None:
    scheduler = Scheduler(SMALL)
    for key in range(5):  # two free slots and three places in the queue
        submit(scheduler, key)
    with pytest.raises(QueueFull, match="3 requests of this app are waiting") as refused:
        submit(scheduler, "one too many")
    assert refused.value.retry_after_s == 1  # 2 s a request, 2 slots, 1 app waiting
    submit(scheduler, "another app", "b")


def test_a_full_house_is_refused_whatever_the_app() -> None:
    scheduler = Scheduler(SMALL)
    for key in range(7):
        submit(scheduler, key, app=f"app{key}")
    with pytest.raises(QueueFull, match="7 requests waiting"):
        submit(scheduler, "one too many", "new")


def test_the_time_to_come_back_follows_how_long_requests_really_take() -> None:
    scheduler = Scheduler(replace(SMALL, slots=1))
    for key in range(30):
        submit(scheduler, key)
        [sequence] = scheduler.plan(0.0).admitted
        scheduler.end(sequence, "length", 20.0)
    assert scheduler.retry_after_s() == 20
    for app in "abcdef"[:5]:
        submit(scheduler, app, app)
    assert scheduler.retry_after_s() == 60


def test_a_prompt_longer_than_the_context_is_refused() -> None:
    with pytest.raises(BadGeneration, match="32 tokens long"):
        submit(Scheduler(SMALL), 1, prompt=32)


def test_an_answer_is_cut_to_what_the_context_holds() -> None:
    assert submit(Scheduler(SMALL), 1, prompt=30, answer=100).max_tokens == 2


def test_a_key_in_use_is_refused() -> None:
    scheduler = Scheduler(SMALL)
    submit(scheduler, 1)
    with pytest.raises(BadGeneration, match="being answered already"):
        submit(scheduler, 1)


def test_a_request_that_needs_more_kv_than_is_free_waits_and_is_not_overtaken() -> None:
    scheduler = Scheduler(replace(SMALL, kv_tokens=20, slots=3))
    first = submit(scheduler, 1, "a", prompt=8, answer=8)
    submit(scheduler, 2, "b", prompt=8, answer=8)
    submit(scheduler, 3, "c", prompt=1, answer=1)
    assert [sequence.key for sequence in scheduler.plan(0.0).admitted] == [1]
    assert scheduler.free_kv_tokens == 4
    scheduler.end(first, "cancelled", 0.0)
    assert [sequence.key for sequence in scheduler.plan(0.0).admitted] == [2, 3]


def test_the_receipt_splits_the_time_into_queue_prefill_and_decode() -> None:
    scheduler = Scheduler(SMALL)
    sequence = submit(scheduler, 1, prompt=3, answer=9)
    scheduler.settle(scheduler.plan(1.0), 1.5)
    scheduler.sampled(sequence)
    scheduler.end(sequence, "stop", 3.5)
    usage = sequence.usage()
    assert (usage.queue_ms, usage.prefill_ms, usage.decode_ms) == (1000, 500, 2000)
    assert (usage.prompt_tokens, usage.generated_tokens) == (3, 1)


def test_a_request_cancelled_in_the_queue_costs_nothing() -> None:
    scheduler = Scheduler(SMALL)
    sequence = submit(scheduler, 1)
    scheduler.end(sequence, "cancelled", 2.0)
    usage = sequence.usage()
    assert (usage.prompt_tokens, usage.generated_tokens, usage.prefill_ms) == (0, 0, 0)
    assert usage.queue_ms == 2000
    assert (scheduler.waiting, scheduler.positions(), scheduler.find(1)) == (0, {}, None)


def test_ending_twice_changes_nothing() -> None:
    scheduler = Scheduler(SMALL)
    sequence = submit(scheduler, 1)
    scheduler.plan(0.0)
    scheduler.end(sequence, "stop", 1.0)
    scheduler.end(sequence, "cancelled", 2.0)
    assert (sequence.reason, sequence.ended_at) == ("stop", 1.0)
    assert scheduler.free_kv_tokens == SMALL.kv_tokens


def test_a_sequence_that_ended_during_its_step_is_left_alone() -> None:
    scheduler = Scheduler(SMALL)
    sequence = submit(scheduler, 1)
    step = scheduler.plan(0.0)
    scheduler.end(sequence, "cancelled", 0.0)
    scheduler.settle(step, 1.0)
    assert (sequence.prefilled, sequence.state) == (0, State.ENDED)


class Life(RuleBasedStateMachine):
    """Any order of arrivals, cancellations and steps, against simple counts of what happened."""

    requests: Bundle[object] = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(SMALL)
        self.alive: dict[object, Sequence] = {}
        self.prompt_tokens: dict[object, int] = {}
        self.generated: dict[object, int] = {}
        self.now = 0.0
        self.next_key = 0

    @rule(
        target=requests,
        app=st.sampled_from("abc"),
        prompt=st.integers(1, 40),
        answer=st.integers(1, 40),
    )
    def arrive(self, app: str, prompt: int, answer: int) -> object:
        self.next_key += 1
        try:
            sequence = self.scheduler.submit(
                self.next_key, app=app, prompt_tokens=prompt, max_tokens=answer, now=self.now
            )
        except (QueueFull, BadGeneration):
            return multiple()
        self.alive[self.next_key] = sequence
        self.prompt_tokens[self.next_key] = self.generated[self.next_key] = 0
        return self.next_key

    @rule(key=consumes(requests))
    def cancel(self, key: object) -> None:
        if sequence := self.alive.pop(key, None):
            self.scheduler.end(sequence, "cancelled", self.now)

    @rule(ends=st.booleans(), took_s=st.sampled_from([0.0, 0.001, 1000.0]))
    def step(self, *, ends: bool, took_s: float) -> None:
        self.now += 0.01
        step = self.scheduler.plan(self.now)
        size = len(step.decoding) + sum(chunk.count for chunk in step.chunks)
        assert size <= SMALL.batch_tokens
        slots = [s.slot for s in (*step.decoding, *(c.sequence for c in step.chunks))]
        assert len(set(slots)) == len(slots)
        self.scheduler.settle(step, self.now, took_s)
        for chunk in step.chunks:
            assert chunk.start == self.prompt_tokens[chunk.sequence.key]
            self.prompt_tokens[chunk.sequence.key] += chunk.count
        for sequence in (*step.decoding, *(c.sequence for c in step.chunks if c.is_last)):
            self.generated[sequence.key] += 1
            if self.scheduler.sampled(sequence) or ends:
                self.scheduler.end(sequence, "length", self.now)
                del self.alive[sequence.key]
                self.check_receipt(sequence)

    def check_receipt(self, sequence: Sequence) -> None:
        usage = sequence.usage()
        assert usage.prompt_tokens == self.prompt_tokens[sequence.key] == sequence.prompt_tokens
        assert usage.generated_tokens == self.generated[sequence.key] <= sequence.max_tokens

    @invariant()
    def slots_and_cells_belong_to_exactly_the_active(self) -> None:
        active = [s for s in self.alive.values() if s.state is not State.WAITING]
        waiting = [s for s in self.alive.values() if s.state is State.WAITING]
        assert self.scheduler.active == len(active) <= SMALL.slots
        assert self.scheduler.waiting == len(waiting) == len(self.scheduler.positions())
        reserved = sum(sequence.reserved_tokens for sequence in active)
        assert self.scheduler.free_kv_tokens == SMALL.kv_tokens - reserved >= 0
        assert all(self.scheduler.find(key) is s for key, s in self.alive.items())

    def teardown(self) -> None:
        """Everything that was admitted or waits comes to its end without further arrivals."""
        for _ in range(2000):
            if not self.alive:
                break
            self.step(ends=False, took_s=0.01)
        assert not self.alive
        assert self.scheduler.free_kv_tokens == SMALL.kv_tokens
        assert (self.scheduler.active, self.scheduler.waiting) == (0, 0)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
