"""Who is admitted, what a step computes, and that nothing is ever lost or counted twice."""

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketplace.inference.ports import BadGeneration, QueueFull
from marketplace.inference.scheduler import Scheduler
from marketplace.inference.sequences import Capacity, Request, Sequence, State, Step

SMALL = Capacity(
    slots=2,
    slot_tokens=32,
    batch_tokens=16,
    prefill_chunk=4,
    queue_per_app=3,
    queue_total=5,
)


def make_request(
    key: object, app: str = "a", *, prompt: int = 4, answer: int = 4, **given: Any
) -> Request:
    """A request whose prompt is like nobody else's, unless a prompt of its own is given."""
    text = np.array([hash(key) % 1000 + 7 * index for index in range(prompt)], dtype=np.int32)
    wanted = {"key": key, "app": app, "prompt": text, "max_tokens": answer, **given}
    return Request(**wanted)


def submit(scheduler: Scheduler, key: object, app: str = "a", **given: Any) -> Sequence:
    return scheduler.submit(make_request(key, app, **given), given.pop("now", 0.0))


def compute(scheduler: Scheduler, now: float = 0.0) -> tuple[Step, list[Sequence]]:
    """Carry out one step as the engine does; the sequences that got their last token."""
    step = scheduler.plan(now)
    scheduler.settle(step, now)
    sampling = [*step.decoding, *(chunk.sequence for chunk in step.chunks if chunk.is_last)]
    complete = [sequence for sequence in sampling if scheduler.sampled(sequence, 1)]
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
    assert (scheduler.waiting, scheduler.positions(), scheduler.find(1)) == (0, {}, None)


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


def run(scheduler: Scheduler, steps: int) -> None:
    for _ in range(steps):
        compute(scheduler)


WIDE = replace(SMALL, slots=4, kept=2, least_shared=2, slot_tokens=64, batch_tokens=64)
SYSTEM = np.arange(100, 120, dtype=np.int32)


def under(system: np.ndarray[Any, Any], *typed: int) -> dict[str, Any]:
    """A prompt that goes on after a system prompt."""
    return {
        "prompt": np.append(system, typed).astype(np.int32),
        "shared": len(system),
        "namespace": "a@1",
    }


def request_under(key: object, *typed: int, **given: Any) -> Request:
    return replace(make_request(key), **{**under(SYSTEM, *typed), **given})


def test_a_system_prompt_is_read_once_and_copied_for_the_next_person() -> None:
    scheduler = Scheduler(WIDE)
    first = scheduler.submit(request_under(1, 1, 2, person="i"), 0.0)
    run(scheduler, 2)
    assert (first.cached, first.read) == (0, 22)
    second = scheduler.submit(request_under(2, 1, 2, person="j"), 0.0)
    step, _ = compute(scheduler)
    assert [(c.start, c.count) for c in step.chunks] == [(20, 2)]  # not what i typed
    assert (second.usage().cached_tokens, second.usage().prompt_tokens) == (20, 22)


def test_what_a_person_typed_is_read_once_for_that_person() -> None:
    scheduler = Scheduler(WIDE)
    scheduler.submit(request_under(1, 1, 2, 3, 4, person="i"), 0.0)
    run(scheduler, 9)
    again = scheduler.submit(request_under(2, 1, 2, 3, 4, person="i"), 0.0)
    step, _ = compute(scheduler)
    assert again.cached == 23  # all but the last token, whose logits are wanted
    assert [transfer.source == transfer.place for transfer in step.transfers] == [True]


@pytest.mark.parametrize("other", [{"namespace": "a@2"}, {"adapter": "pirate"}])
def test_nothing_passes_to_another_release_or_adapter(other: dict[str, Any]) -> None:
    scheduler = Scheduler(WIDE)
    scheduler.submit(request_under(1, 1, person="i"), 0.0)
    run(scheduler, 2)
    stranger = scheduler.submit(request_under(2, 1, person="i", **other), 0.0)
    run(scheduler, 2)
    assert stranger.cached == 0


def test_those_who_come_together_wait_for_the_first_to_read_what_they_share() -> None:
    scheduler = Scheduler(replace(WIDE, batch_tokens=16))
    people = [scheduler.submit(request_under(n, n, n, person=str(n)), 0.0) for n in range(4)]
    step, _ = compute(scheduler)
    assert [(c.sequence, c.count) for c in step.chunks] == [(people[0], 16)]
    compute(scheduler)
    assert compute(scheduler)[0].decoding == (people[0],)
    step, _ = compute(scheduler)
    assert [(c.start, c.count) for c in step.chunks] == [(20, 2), (20, 2)]
    run(scheduler, 5)
    assert [sequence.cached for sequence in people] == [0, 20, 20, 20]


def test_when_the_one_they_wait_for_leaves_another_reads_for_all() -> None:
    scheduler = Scheduler(replace(WIDE, batch_tokens=16))
    people = [scheduler.submit(request_under(n, n, n, person=str(n)), 0.0) for n in range(3)]
    scheduler.plan(0.0)
    scheduler.end(people[0], "cancelled", 0.0)
    step, _ = compute(scheduler)
    assert [c.sequence for c in step.chunks] == [people[1]]
    run(scheduler, 4)
    assert [sequence.cached for sequence in people] == [0, 0, 20]


def test_a_kept_system_prompt_outlives_everything_computed_since() -> None:
    scheduler = Scheduler(replace(WIDE, slots=1))
    scheduler.submit(request_under(1, 1, person="i"), 0.0)
    run(scheduler, 5)
    for key in range(5):
        submit(scheduler, f"other {key}", "b", prompt=30)
        run(scheduler, 9)
    late = scheduler.submit(request_under(2, 2, person="j"), 0.0)
    compute(scheduler)
    assert late.cached == 20


def test_a_new_release_takes_the_place_of_the_apps_older_one_not_of_anothers() -> None:
    scheduler = Scheduler(replace(WIDE, slots=1, kept=3))
    for number, (app, release) in enumerate([("b", "b@1"), ("a", "a@1"), ("a", "a@2")]):
        request = replace(request_under(number, 1), app=app, namespace=release, person="i")
        scheduler.submit(request, 0.0)
        run(scheduler, 5)
    found = {}
    for number, (app, release) in enumerate([("b", "b@1"), ("a", "a@2"), ("a", "a@1")]):
        request = replace(request_under(9 + number, 2), app=app, namespace=release, person="j")
        sequence = scheduler.submit(request, 0.0)
        run(scheduler, 5)
        found[release] = sequence.cached
    assert found == {"b@1": 20, "a@1": 0, "a@2": 20}


def test_places_in_use_stay_next_to_each_other() -> None:
    scheduler = Scheduler(WIDE)
    sequences = [submit(scheduler, key, prompt=2, answer=9) for key in range(4)]
    run(scheduler, 4)
    scheduler.end(sequences[1], "stop", 0.0)
    step, _ = compute(scheduler)
    assert [(t.source, t.place, t.count) for t in step.transfers] == [(3, 1, 5)]
    assert [sequence.key for sequence in step.decoding] == [0, 3, 2]
    assert [sequence.place for sequence in step.decoding] == [0, 1, 2]


def test_an_app_of_which_nothing_runs_is_the_guest_of_one_that_fills_the_slots() -> None:
    scheduler = Scheduler(replace(SMALL, guests=1))
    for key in range(4):
        submit(scheduler, key, "hog", prompt=3, answer=20)
    run(scheduler, 3)
    light = submit(scheduler, "light", "light", prompt=3, answer=20)
    step, _ = compute(scheduler)
    assert [chunk.sequence for chunk in step.chunks] == [light]
    assert (scheduler.active, scheduler.preempted) == (3, 0)


def test_without_a_place_the_newest_answer_of_whoever_was_given_most_is_put_back() -> None:
    scheduler = Scheduler(replace(SMALL, slots=4, queue_per_app=9))
    hogs = [submit(scheduler, key, "hog", prompt=4, answer=28) for key in range(4)]
    run(scheduler, 12)
    light = submit(scheduler, "light", "light", prompt=2, answer=2)
    step, _ = compute(scheduler)
    assert [chunk.sequence for chunk in step.chunks] == [light]
    assert scheduler.preempted == 1
    [put_back] = [hog for hog in hogs if hog.preemptions]
    assert put_back is hogs[3]
    assert put_back.state is State.WAITING
    made = put_back.generated
    run(scheduler, 200)
    usage = put_back.usage()
    assert made < usage.generated_tokens == 28
    assert usage.prompt_tokens == 4  # what was read twice is on the receipt once
    assert {hog.state for hog in hogs} == {State.ENDED}


def test_on_a_single_place_a_long_answer_is_put_back_once_it_had_far_more_than_its_turn() -> None:
    scheduler = Scheduler(replace(SMALL, slots=1, slot_tokens=2048))
    hog = submit(scheduler, "hog", "hog", prompt=4, answer=1500)
    run(scheduler, 2)
    light = submit(scheduler, "light", "light", prompt=2, answer=2)
    steps = 0
    while not light.read:
        compute(scheduler)
        steps += 1
    assert 500 <= steps <= 520  # at 2 a token, 1,024 more than the other
    run(scheduler, 1200)
    assert hog.usage().generated_tokens == 1500


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


def test_when_cells_run_out_idle_places_go_first_and_then_one_request_steps_back() -> None:
    scheduler = Scheduler(WIDE)
    scheduler.submit(request_under(1, 1, person="i"), 0.0)
    run(scheduler, 5)
    running = [submit(scheduler, key, prompt=2, answer=30) for key in ("b", "c")]
    run(scheduler, 2)
    idle = scheduler.make_room(0.0)
    assert idle
    assert not {sequence.place for sequence in running} & set(idle)
    [place] = scheduler.make_room(0.0)
    assert [s.state for s in running] == [State.DECODING, State.WAITING]
    assert place != running[0].place
    assert scheduler.make_room(0.0) == []  # one that is alone cannot be helped
    run(scheduler, 40)
    assert [s.usage().generated_tokens for s in running] == [30, 30]


def test_a_lost_place_is_nobodys_source() -> None:
    scheduler = Scheduler(WIDE)
    first = scheduler.submit(request_under(1, 1, person="i"), 0.0)
    scheduler.settle(scheduler.plan(0.0), 0.0)
    scheduler.end(first, "failed", 0.0, is_lost=True)
    again = scheduler.submit(request_under(2, 1, person="i"), 0.0)
    scheduler.plan(0.0)
    assert again.cached == 0


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
