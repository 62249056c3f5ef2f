"""Who is put back when a place or cells are wanted, and that it loses nothing."""

from dataclasses import replace

from marketplace.inference.scheduler import Scheduler
from marketplace.inference.sequences import State
from tests.inference.scheduling import SMALL, WIDE, compute, request_under, run, submit


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
