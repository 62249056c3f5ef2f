"""Asking and stopping while a step is computed: both are answered before it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Semaphore
from typing import Any

import pytest

from marketplace.inference.ports import Generation, QueueFull
from tests.inference.engine.conftest import Bench, type_open
from tests.inference.engines import end_of, make_generation, text_of

PATIENCE_S = 30


class Steps:
    """Holds the decode thread where llama.cpp would compute, step by step until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.was_broken_off = self.is_to_stop = False
        self._is_free = True
        self._began, self._may_end = Semaphore(0), Semaphore(0)
        context = import_module("marketplace.inference.engine.context")
        compute, wish = context.Context.compute, context.Context.wish

        def held(engine: Any, *, can_stop: bool) -> None:
            if not self._is_free:
                self._began.release()
                assert self._may_end.acquire(timeout=PATIENCE_S)
            compute(engine, can_stop=can_stop)

        def wished(engine: Any, *, to_stop: bool) -> None:
            wish(engine, to_stop=to_stop)
            self.is_to_stop = to_stop
            self.was_broken_off |= to_stop

        monkeypatch.setattr(context.Context, "compute", held)
        monkeypatch.setattr(context.Context, "wish", wished)

    @contextmanager
    def held(self, opened: Bench, generation: Generation) -> Iterator[None]:
        """Run the block while the first step of request 0 is computed, then let all steps go."""
        self._is_free = False
        opened.engine.submit(0, generation)
        assert self._began.acquire(timeout=PATIENCE_S)
        try:
            yield
        finally:
            self._is_free = True
            self._may_end.release()

    def go_on(self) -> None:
        """End the step that is held, and wait until the next one is computed."""
        self._may_end.release()
        assert self._began.acquire(timeout=PATIENCE_S)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


def test_a_full_queue_turns_away_while_a_step_is_computed(
    bench: type_open, noise: Path, steps: Steps
) -> None:
    opened = bench(noise, max_sequences=1, queue_per_app=2)
    with steps.held(opened, make_generation(max_tokens=4)):
        for key in (1, 2):
            opened.engine.submit(key, make_generation(max_tokens=1))
        with pytest.raises(QueueFull, match="2 requests of this app are waiting") as refused:
            opened.engine.submit(3, make_generation(max_tokens=1))
        opened.engine.submit(3, make_generation(app="caravan.other", max_tokens=1))
        assert refused.value.retry_after_s >= 1
    assert [end_of(events).reason for events in opened.collect(4)] == ["length"] * 4


def test_a_long_step_is_broken_off_for_another_app_even_if_its_own_asks_again(
    bench: type_open, noise: Path, steps: Steps
) -> None:
    opened = bench(noise, max_sequences=3)
    with steps.held(opened, make_generation("x" * 40, max_tokens=1)):
        opened.engine.submit(1, make_generation(max_tokens=1))
        assert not steps.is_to_stop
        opened.engine.submit(2, make_generation(app="caravan.other", max_tokens=1))
        opened.engine.submit(3, make_generation(max_tokens=1))
        assert steps.is_to_stop
    assert [end_of(events).reason for events in opened.collect(4)] == ["length"] * 4


def test_who_waits_is_stopped_while_a_step_is_computed_and_makes_room(
    bench: type_open, noise: Path, steps: Steps
) -> None:
    opened = bench(noise, max_sequences=1, queue_per_app=1)
    with steps.held(opened, make_generation(max_tokens=4)):
        opened.engine.submit(1, make_generation())
        opened.engine.cancel(1)
        finished = end_of(opened.answer_to(1))
        assert finished.reason == "cancelled"
        assert finished.usage.prompt_tokens == finished.usage.generated_tokens == 0
        assert not steps.was_broken_off
        opened.engine.submit(2, make_generation(max_tokens=1))
    assert end_of(opened.answer_to(2)).reason == "length"


def test_whom_a_step_is_computed_for_is_stopped_before_it_ends_and_it_is_broken_off(
    bench: type_open, noise: Path, steps: Steps
) -> None:
    opened = bench(noise, max_sequences=2)
    with steps.held(opened, make_generation(max_tokens=4)):
        opened.engine.cancel(0)
        assert end_of(opened.answer_to(0)).reason == "cancelled"
        assert steps.was_broken_off
        # The same number may be used again before the step has ended.
        opened.engine.submit(0, make_generation(max_tokens=3))
    finished = end_of(opened.answer_to(0))
    assert (finished.reason, finished.usage.generated_tokens) == ("length", 3)
    assert opened.engine.status().active == 0


def test_a_step_that_is_mostly_for_others_goes_on_without_whoever_was_stopped(
    bench: type_open, noise: Path, steps: Steps
) -> None:
    opened = bench(noise, max_sequences=3)
    expected = text_of(opened.answer(make_generation("z" * 90))[0])
    with steps.held(opened, make_generation("x" * 40, max_tokens=1)):
        opened.engine.submit(1, make_generation("z" * 90, app="caravan.other"))
        opened.engine.submit(2, make_generation("y" * 70, app="caravan.third"))
        steps.go_on()  # both are read in one step, after the first request's
        steps.was_broken_off = False
        opened.engine.cancel(2)
        assert end_of(opened.answer_to(2)).reason == "cancelled"
        assert not steps.was_broken_off
    assert text_of(opened.answer_to(1)) == expected
