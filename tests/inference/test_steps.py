"""What one step computes: how much it reads, and when it writes instead."""

from dataclasses import replace
from itertools import pairwise

from marketplace.inference.pace import STALL_STEPS
from marketplace.inference.scheduler import Scheduler
from tests.inference.scheduling import SMALL, compute, submit


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
