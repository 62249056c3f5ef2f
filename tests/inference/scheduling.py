"""Requests, and the steps that an engine would compute, for tests of the scheduler."""

from dataclasses import replace
from typing import Any

import numpy as np

from marketplace.inference.scheduler import Scheduler
from marketplace.inference.sequences import Capacity, Request, Sequence, Step

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


def run(scheduler: Scheduler, steps: int) -> None:
    """Compute some steps."""
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
