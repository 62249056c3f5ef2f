"""What one step computes: how much it reads, and when it writes instead."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.pace import LONG_STEP_S, STALL_STEPS
from marketplace.inference.scheduler import Scheduler
from tests.inference.scheduling import SMALL, compute, submit

LONG = replace(SMALL, slot_tokens=8192, batch_tokens=2048, prefill_chunk=512, can_stop=True)


def test_prompts_fill_the_batch_alone_but_only_a_chunk_beside_running_answers() -> None:
    scheduler = Scheduler(SMALL)
    submit(scheduler, 1, prompt=20, answer=8)
    assert [chunk.count for chunk in compute(scheduler)[0].chunks] == [16]
    assert [chunk.count for chunk in compute(scheduler)[0].chunks] == [4]
    submit(scheduler, 2, prompt=10, answer=8)
    assert len(compute(scheduler)[0].decoding) == 1
    step, _ = compute(scheduler)
    assert [(chunk.sequence.key, chunk.start, chunk.count) for chunk in step.chunks] == [(2, 0, 4)]


def test_a_slow_machine_reads_prompts_in_steps_that_stay_short() -> None:
    roomy = replace(SMALL, slot_tokens=4096, batch_tokens=512, prefill_chunk=256)
    scheduler = Scheduler(roomy)
    submit(scheduler, 1, prompt=800, answer=100)
    step = scheduler.plan(0.0)
    assert [chunk.count for chunk in step.chunks] == [256]
    scheduler.settle(step, 0.32, took_s=0.32)  # 800 tokens a second: 120 in 0.15 s
    assert [chunk.count for chunk in scheduler.plan(1.0).chunks] == [120]


def test_the_rest_of_a_prompt_gets_no_small_step_of_its_own() -> None:
    scheduler = Scheduler(replace(SMALL, slot_tokens=4096, batch_tokens=512))
    submit(scheduler, 1, prompt=470, answer=4)
    scheduler.settle(scheduler.plan(0.0), 256.0, took_s=256.0)
    read = []
    while chunks := (step := scheduler.plan(300.0)).chunks:
        scheduler.settle(step, 300.0, took_s=1.0)
        read.append([chunk.count for chunk in chunks])
    assert read == [[64], [64], [86]]


def test_the_slowest_machine_still_reads_a_little_in_every_step() -> None:
    scheduler = Scheduler(replace(SMALL, slot_tokens=4096, batch_tokens=512))
    submit(scheduler, 1, prompt=800, answer=100)
    scheduler.settle(scheduler.plan(0.0), 256.0, took_s=256.0)
    assert [chunk.count for chunk in scheduler.plan(513.0).chunks] == [64]


def test_answers_wait_for_prompts_but_not_for_long() -> None:
    scheduler = Scheduler(replace(SMALL, slot_tokens=4096, batch_tokens=64, prefill_chunk=64))
    submit(scheduler, 1, prompt=5, answer=200)
    compute(scheduler)
    now, written = 0.0, []
    submit(scheduler, 2, prompt=3000)
    for _ in range(40):
        step = scheduler.plan(now)
        assert not (step.decoding and step.chunks), "one at a time: together they cost the sum"
        took_s = 0.02 if step.decoding else 0.05
        now += took_s
        scheduler.settle(step, now, took_s=took_s)
        if step.decoding:
            written.append(now)
            scheduler.sampled(step.decoding[0], 1)
    gaps = [later - earlier for earlier, later in pairwise(written)]
    assert max(gaps) <= 0.02 * STALL_STEPS + 0.05 + 0.02 + 1e-9
    assert sum(gaps) / len(gaps) > 0.1, "most of the time is for reading"


def test_a_slow_machine_still_writes_every_second() -> None:
    scheduler = Scheduler(replace(SMALL, slot_tokens=4096, batch_tokens=64, prefill_chunk=64))
    submit(scheduler, 1, prompt=5, answer=200)
    compute(scheduler)
    submit(scheduler, 2, prompt=3000)
    scheduler.settle(scheduler.plan(0.0), 10.0, took_s=10.0)
    scheduler.settle(scheduler.plan(10.0), 11.0, took_s=1.0)
    assert scheduler.plan(11.0).decoding


@given(flood=st.integers(3, 20), light=st.integers(1, 60), read=st.integers(0, 12))
def test_who_asks_beside_a_flood_reads_first(flood: int, light: int, read: int) -> None:
    roomy = replace(LONG, slots=8, guests=1, can_stop=False, queue_per_app=64, queue_total=64)
    scheduler = Scheduler(roomy)
    for number in range(flood):
        submit(scheduler, number, "hog", prompt=1000)
    for _ in range(read):
        scheduler.settle(scheduler.plan(0.0), 0.0, took_s=0.15)
    submit(scheduler, "light", "light", prompt=light)
    for _ in range(2):  # whoever writes may have their turn before
        step = scheduler.plan(0.0)
        if step.chunks:
            break
        scheduler.settle(step, 0.0, took_s=0.01)
    assert next(c for c in step.chunks if c.sequence.key == "light").is_last


def test_where_reading_can_be_broken_off_it_takes_a_second_and_afterwards_makes_up_for_it() -> None:
    scheduler = Scheduler(LONG)
    submit(scheduler, 1, prompt=8000)
    scheduler.settle(scheduler.plan(0.0), 0.32, took_s=0.32)  # 800 tokens a second
    step = scheduler.plan(1.0)
    assert step.can_stop
    assert [chunk.count for chunk in step.chunks] == [800]
    scheduler.broken_off(0.2)
    for _ in range(2):
        step = scheduler.plan(1.2)
        assert not step.can_stop
        assert [chunk.count for chunk in step.chunks] == [120]
        scheduler.settle(step, 1.35, took_s=0.15)
    assert scheduler.plan(1.5).can_stop


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_however_often_a_step_is_broken_off_half_of_the_time_counts(parts: list[float]) -> None:
    scheduler = Scheduler(LONG)
    submit(scheduler, 1, prompt=8000)
    now = lost = useful = 0.0
    for part in parts:
        step = scheduler.plan(now)
        if not step.chunks:
            break
        took_s = sum(chunk.count for chunk in step.chunks) / 800
        if step.can_stop and part < 1:
            lost += part * took_s
            now += part * took_s
            scheduler.broken_off(part * took_s)
        else:
            useful += took_s
            now += took_s
            scheduler.settle(step, now, took_s=took_s)
    assert lost <= useful + 1.5 * LONG_STEP_S + 1e-9


def test_a_long_step_leaves_those_who_write_their_turn() -> None:
    scheduler = Scheduler(LONG)
    submit(scheduler, 1, prompt=5, answer=200)
    scheduler.settle(scheduler.plan(0.0), 0.1, took_s=0.1)
    submit(scheduler, 2, prompt=6000)
    scheduler.settle(scheduler.plan(0.1), 0.15, took_s=0.05)  # writing takes 0.05 s
    scheduler.settle(scheduler.plan(0.15), 0.47, took_s=0.32)  # 800 tokens a second
    assert [chunk.count for chunk in scheduler.plan(0.47).chunks] == [120], (
        "it is nearly their turn"
    )
    scheduler.settle(scheduler.plan(0.6), 0.65, took_s=0.05)
    [chunk] = scheduler.plan(0.65).chunks
    assert chunk.count == int(800 * STALL_STEPS * 0.05)
