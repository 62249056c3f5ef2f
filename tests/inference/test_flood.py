"""An app that asks one at a time beside one that floods, on a slow machine that is simulated."""

from itertools import count
from random import Random

import pytest

from marketplace.inference.scheduler import Scheduler
from marketplace.inference.sequences import Capacity, Sequence, State, Step
from tests.inference.scheduling import make_request

PLACES = Capacity(
    slots=8,
    guests=1,
    slot_tokens=1200,
    batch_tokens=2048,
    prefill_chunk=512,
    queue_per_app=100,
    queue_total=200,
    can_stop=True,
)
FLOOD, QUESTIONS = 64, 40


class Machine:
    """Reads so many tokens a second and writes one in 22 ms, eight in 80, on its own clock."""

    def __init__(self, tokens_per_s: float) -> None:
        self.now = 0.0
        self._tokens_per_s = tokens_per_s
        self._scheduler = Scheduler(PLACES)
        self._keys = count()

    def ask(self, app: str) -> Sequence:
        prompt, answer = (1000, 64) if app == "hog" else (100, 4)
        request = make_request(next(self._keys), app, prompt=prompt, answer=answer)
        return self._scheduler.submit(request, self.now)

    def wait_s(self, after_s: float) -> float:
        """How long a question that comes so much later waits for its first token."""
        comes_at, question, first_at = self.now + after_s, None, None
        while question is None or question.state is not State.ENDED:
            if question is None and comes_at <= self.now:
                question = self.ask("light")
            step = self._scheduler.plan(self.now)
            took_s = self._took_s(step)
            if question is None and step.can_stop and comes_at < self.now + took_s:
                self._scheduler.broken_off(comes_at - self.now)
                self.now = comes_at
                continue
            self.now += took_s
            self._scheduler.settle(step, self.now, took_s)
            for sequence in (*step.decoding, *(c.sequence for c in step.chunks if c.is_last)):
                if sequence is question and first_at is None:
                    first_at = self.now
                if self._scheduler.sampled(sequence, 1):
                    self._scheduler.end(sequence, "length", self.now)
                    if sequence is not question:
                        self.ask("hog")
        assert first_at is not None
        return first_at - comes_at

    def _took_s(self, step: Step) -> float:
        read = sum(chunk.count for chunk in step.chunks)
        written_s = 0.022 + 0.058 * (len(step.decoding) - 1) / 7 if step.decoding else 0.0
        return read / self._tokens_per_s + written_s


@pytest.mark.parametrize("tokens_per_s", [100, 300])
def test_a_question_beside_a_flood_waits_little_longer_than_alone(tokens_per_s: int) -> None:
    draw = Random(1)
    machine = Machine(tokens_per_s)
    alone = max(machine.wait_s(0.0) for _ in range(12))
    for _ in range(FLOOD):
        machine.ask("hog")
    beside = sorted(machine.wait_s(draw.random()) for _ in range(QUESTIONS))
    assert beside[-1] <= 2 * alone
