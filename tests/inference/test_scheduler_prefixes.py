"""What is read once and found again, and by whom."""

from dataclasses import replace
from typing import Any

import pytest

from marketplace.inference.scheduler import Scheduler
from tests.inference.scheduling import (
    SYSTEM,
    WIDE,
    compute,
    make_request,
    request_under,
    run,
    submit,
    under,
)


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
    scheduler = Scheduler(replace(WIDE, slots=1, kept=2))
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


def test_what_is_kept_of_a_release_that_is_gone_is_dropped_and_nothing_else() -> None:
    scheduler = Scheduler(replace(WIDE, slots=1, kept=4))
    for number, release in enumerate(("a@1", "a@2")):
        scheduler.submit(request_under(number, 1, namespace=release, person="i"), 0.0)
        run(scheduler, 5)
    going = scheduler.submit(request_under(7, 3, namespace="a@1", person="j"), 0.0)
    compute(scheduler)
    cells = scheduler._ledger.cells
    places = scheduler.forget("a@1")
    assert scheduler._ledger.cells == cells - 20
    assert going.place not in places  # what runs goes on
    run(scheduler, 5)
    assert going.usage().generated_tokens == 4
    assert scheduler.forget("a@1") == [going.place]
    found = {}
    for number, release in enumerate(("a@2", "a@1")):
        asked = request_under(9 + number, 2, namespace=release, person="k")
        sequence = scheduler.submit(asked, 0.0)
        run(scheduler, 5)
        found[release] = sequence.cached
    assert found == {"a@2": 20, "a@1": 0}
    assert scheduler.forget("b@1") == []


def test_a_lost_place_is_nobodys_source() -> None:
    scheduler = Scheduler(WIDE)
    first = scheduler.submit(request_under(1, 1, person="i"), 0.0)
    scheduler.settle(scheduler.plan(0.0), 0.0)
    scheduler.end(first, "failed", 0.0, is_lost=True)
    again = scheduler.submit(request_under(2, 1, person="i"), 0.0)
    scheduler.plan(0.0)
    assert again.cached == 0


def test_apps_with_ever_new_instructions_take_no_place_from_one_that_holds_a_single_one() -> None:
    scheduler = Scheduler(replace(WIDE, slots=1, kept=4))
    scheduler.submit(request_under(0, 1, person="i"), 0.0)
    run(scheduler, 6)
    for number in range(1, 13):
        app, system = "xy"[number % 2], SYSTEM + 100 * number
        asked = {**under(system, 3), "namespace": f"{app}@1"}
        scheduler.submit(replace(make_request(number, app), **asked), 0.0)
        run(scheduler, 6)
    sequence = scheduler.submit(request_under(99, 2, person="j"), 0.0)
    run(scheduler, 6)
    assert sequence.cached == len(SYSTEM)


def test_what_a_failed_step_emptied_is_taken_over_by_nobody() -> None:
    scheduler = Scheduler(replace(WIDE, slots=2, kept=0))
    stopped = scheduler.submit(request_under(1, 1), 0.0)
    run(scheduler, 2)
    scheduler.plan(0.0)
    scheduler.end(stopped, "cancelled", 0.0)  # while the step is computed, which then fails
    scheduler.lose(stopped)
    sequence = scheduler.submit(request_under(2, 2), 0.0)
    run(scheduler, 6)
    assert sequence.cached == 0
