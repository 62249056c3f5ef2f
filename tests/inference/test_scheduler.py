"""Who is admitted, what a step computes, and that nothing is ever lost or counted twice."""

import sys
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketplace.inference.ports import BadGeneration, QueueFull
from marketplace.inference.scheduler import Scheduler
from marketplace.inference.sequences import State
from tests.inference.scheduling import SMALL, WIDE, compute, run, submit


def test_a_request_is_admitted_prefilled_and_decoded_to_its_last_token() -> None:
    scheduler = Scheduler(SMALL)
    sequence = submit(scheduler, 1, prompt=5, answer=3)
    step, _ = compute(scheduler)
    assert [(chunk.start, chunk.count, chunk.is_last) for chunk in step.chunks] == [(0, 5, True)]
    compute(scheduler)
    _, complete = compute(scheduler)
    assert complete == [sequence]
    assert (sequence.read, sequence.generated, sequence.state) == (5, 3, State.ENDED)
    assert scheduler.plan(0.0).is_empty


def admission_order(scheduler: Scheduler) -> list[object]:
    """The keys in the order in which they are admitted, each ending before the next."""
    order = []
    while not (step := scheduler.plan(0.0)).is_empty:
        [chunk] = step.chunks
        order.append(chunk.sequence.key)
        scheduler.end(chunk.sequence, "cancelled", 0.0)
    return order


def test_apps_take_turns_and_each_person_is_first_in_first_out() -> None:
    scheduler = Scheduler(replace(SMALL, slots=1, queue_per_app=9, queue_total=9))
    for key, app in (("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("c1", "c"), ("b2", "b")):
        submit(scheduler, key, app)
    assert scheduler.positions() == {"a1": 0, "b1": 1, "c1": 2, "a2": 3, "b2": 4, "a3": 5}
    assert admission_order(scheduler) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_the_people_of_an_app_take_turns_too() -> None:
    scheduler = Scheduler(replace(SMALL, slots=1, queue_per_app=9, queue_total=9))
    for key, person in (("i1", "i"), ("i2", "i"), ("i3", "i"), ("j1", "j")):
        submit(scheduler, key, person=person)
    assert admission_order(scheduler) == ["i1", "j1", "i2", "i3"]


def test_an_app_of_twice_the_weight_gets_twice_the_turns() -> None:
    scheduler = Scheduler(replace(SMALL, slots=1, queue_per_app=9, queue_total=99))
    for number in range(6):
        submit(scheduler, f"heavy{number}", "heavy", weight=2.0)
        submit(scheduler, f"light{number}", "light")
    first = admission_order(scheduler)[:6]
    assert sum(str(key).startswith("heavy") for key in first) == 4


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
        [chunk] = scheduler.plan(0.0).chunks
        scheduler.end(chunk.sequence, "length", 20.0)
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


def test_the_receipt_splits_the_time_into_queue_prefill_and_decode() -> None:
    scheduler = Scheduler(SMALL)
    sequence = submit(scheduler, 1, prompt=3, answer=9)
    scheduler.settle(scheduler.plan(1.0), 1.5)
    scheduler.sampled(sequence, 1)
    scheduler.settle(scheduler.plan(1.5), 2.5)
    scheduler.end(sequence, "stop", 3.5)
    usage = sequence.usage()
    assert usage.kv_token_ms == 3 * 1000 + 4 * 1000  # three tokens for a second, then four
    assert (usage.queue_ms, usage.prefill_ms, usage.decode_ms) == (1000, 500, 2000)
    assert (usage.prompt_tokens, usage.generated_tokens) == (3, 1)


def test_a_request_cancelled_in_the_queue_costs_nothing() -> None:
    scheduler = Scheduler(SMALL)
    sequence = submit(scheduler, 1)
    scheduler.end(sequence, "cancelled", 2.0)
    usage = sequence.usage()
    assert (usage.prompt_tokens, usage.generated_tokens, usage.prefill_ms) == (0, 0, 0)
    assert usage.queue_ms == 2000
    assert (scheduler.waiting, scheduler.active, scheduler.positions()) == (0, 0, {})


def test_ending_twice_changes_nothing() -> None:
    scheduler = Scheduler(SMALL)
    sequence = submit(scheduler, 1)
    scheduler.plan(0.0)
    scheduler.end(sequence, "stop", 1.0)
    scheduler.end(sequence, "cancelled", 2.0)
    assert (sequence.reason, sequence.usage().prefill_ms) == ("stop", 1000)
    assert scheduler.active == 0


def test_a_sequence_that_ended_during_its_step_is_left_alone() -> None:
    scheduler = Scheduler(SMALL)
    sequence = submit(scheduler, 1)
    step = scheduler.plan(0.0)
    scheduler.end(sequence, "cancelled", 0.0)
    scheduler.settle(step, 1.0)
    assert (sequence.read, sequence.state) == (0, State.ENDED)


def test_places_in_use_stay_next_to_each_other() -> None:
    scheduler = Scheduler(WIDE)
    sequences = [submit(scheduler, key, prompt=2, answer=9) for key in range(4)]
    run(scheduler, 4)
    scheduler.end(sequences[1], "stop", 0.0)
    step, _ = compute(scheduler)
    assert [(t.source, t.place, t.count) for t in step.transfers] == [(3, 1, 5)]
    assert [sequence.key for sequence in step.decoding] == [0, 3, 2]
    assert [sequence.place for sequence in step.decoding] == [0, 1, 2]


def test_the_app_that_was_given_least_reads_its_prompt_first() -> None:
    scheduler = Scheduler(replace(SMALL, slots=3, batch_tokens=8))
    submit(scheduler, 1, "hog", prompt=20)
    submit(scheduler, 2, "hog", prompt=20)
    compute(scheduler)
    submit(scheduler, 3, "light", prompt=6)
    step, _ = compute(scheduler)
    assert [(c.sequence.key, c.count) for c in step.chunks] == [(3, 6)]


def test_only_sequences_of_one_adapter_share_a_step_and_adapters_take_turns() -> None:
    scheduler = Scheduler(WIDE)
    for key, adapter in ((1, None), (2, "pirate"), (3, None)):
        submit(scheduler, key, adapter=adapter, answer=5)
    seen = []
    while not (step := compute(scheduler)[0]).is_empty:
        assert {s.adapter for s in step.decoding} <= {step.adapter}
        seen.append(step.adapter)
    assert seen == [None, "pirate"] * 5


def test_a_step_costs_the_same_whether_ten_wait_or_a_thousand() -> None:
    def calls(waiting: int) -> int:
        scheduler = Scheduler(replace(WIDE, queue_per_app=2000, queue_total=2000, slot_tokens=999))
        for key in range(waiting):
            submit(scheduler, key, f"app {key % 100}", person=str(key), prompt=1, answer=900)
        run(scheduler, 3)
        seen = 0

        def note(*_: object) -> None:
            nonlocal seen
            seen += 1

        sys.setprofile(note)
        try:
            run(scheduler, 50)
        finally:
            sys.setprofile(None)
        return seen

    assert calls(1000) <= 1.1 * calls(10)


WEIGHTS = {"heavy": 2.0, "light": 1.0}


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(prompt=st.integers(1, 30), answer=st.integers(1, 30))
def test_of_two_busy_apps_the_one_with_twice_the_weight_is_given_twice_as_much(
    prompt: int, answer: int
) -> None:
    scheduler = Scheduler(replace(WIDE, queue_per_app=99, queue_total=99))
    given_to, asked = dict.fromkeys(WEIGHTS, 0), dict.fromkeys(WEIGHTS, 0)
    for _ in range(400):
        for app, weight in WEIGHTS.items():
            while asked[app] - given_to[app] < 2 * WIDE.slots:  # neither runs out of requests
                asked[app] += 1
                key = (app, asked[app])
                submit(scheduler, key, app, prompt=prompt, answer=answer, weight=weight)
        for sequence in compute(scheduler)[1]:
            given_to[sequence.person.app.name] += 1
    # Each may be ahead by the requests that a full machine holds.
    assert abs(given_to["heavy"] - 2 * given_to["light"]) <= 3 * WIDE.slots
    assert given_to["light"] >= 5


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    sizes=st.lists(
        st.tuples(st.integers(1, 30), st.integers(1, 30), st.sampled_from([1.0, 2.0])),
        min_size=2,
        max_size=4,
    )
)
def test_busy_apps_are_given_their_shares_within_one_batch_of_work(
    sizes: list[tuple[int, int, float]],
) -> None:
    scheduler = Scheduler(replace(WIDE, queue_per_app=99, queue_total=99))
    given_to = dict.fromkeys(range(len(sizes)), 0.0)
    queued = dict.fromkeys(given_to, 0)
    for step_number in range(300):
        for app, (prompt, answer, weight) in enumerate(sizes):
            while queued[app] < 2 * WIDE.slots:
                queued[app] += 1
                submit(
                    scheduler,
                    (app, step_number, queued[app]),
                    str(app),
                    prompt=prompt,
                    answer=answer,
                    weight=weight,
                )
        step = scheduler.plan(0.0)
        for chunk in step.chunks:
            # What is read a second time, after a preemption, is at nobody's expense.
            new = chunk.start + chunk.count - max(chunk.start, chunk.sequence.read)
            given_to[int(chunk.sequence.person.app.name)] += max(0, new)
        for sequence in step.decoding:
            given_to[int(sequence.person.app.name)] += 2.0
        scheduler.settle(step, 0.0)
        for sequence in (*step.decoding, *(c.sequence for c in step.chunks if c.is_last)):
            if scheduler.sampled(sequence, 1):
                scheduler.end(sequence, "length", 0.0)
                queued[int(sequence.person.app.name)] -= 1
    shares = [given_to[app] / weight for app, (_, _, weight) in enumerate(sizes)]
    # The paper's bound: twice the larger of one prompt and of what a full batch may generate.
    bound = 2 * max(*(p for p, _, _ in sizes), 2.0 * WIDE.slots * max(a for _, a, _ in sizes))
    assert max(shares) - min(shares) <= bound
