"""Whose turn it is: counters, weights, the lift of the idle, and what a queue forgets."""

from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference import fairness
from marketplace.inference.fairness import SWEEP_AT, FairQueue, Person


def push(queue: FairQueue[str], app: str, person: str, item: str) -> Person[str]:
    account = queue.person(app, person, weight=1.0)
    queue.push(account, item, item)
    return account


def test_an_idle_app_returns_at_the_level_of_the_busy_and_saves_nothing_up() -> None:
    queue: FairQueue[str] = FairQueue()
    busy = push(queue, "busy", "i", "b1")
    push(queue, "busy", "i", "b2")
    fairness.charge(busy, 500)
    assert queue.first() == "b1"  # the level is now 500
    late = push(queue, "late", "j", "l1")
    assert late.app.counter == 500
    assert queue.first() == "b1"


def test_an_app_that_always_has_a_little_running_saves_nothing_up_either() -> None:
    queue: FairQueue[str] = FairQueue()
    trickle = push(queue, "trickle", "j", "t1")
    queue.remove(trickle, "t1")
    fairness.enter(trickle)
    busy = push(queue, "busy", "i", "b1")
    fairness.charge(busy, 500)
    assert queue.first() == "b1"
    push(queue, "trickle", "j", "t2")
    assert trickle.app.counter == 500


def test_an_app_that_was_given_much_waits_even_after_being_idle() -> None:
    queue: FairQueue[str] = FairQueue()
    greedy = push(queue, "greedy", "i", "g1")
    queue.remove(greedy, "g1")
    fairness.charge(greedy, 500)
    push(queue, "greedy", "i", "g2")
    push(queue, "new", "j", "n1")
    assert queue.first() == "n1"


def test_what_was_put_back_goes_before_the_persons_others() -> None:
    queue: FairQueue[str] = FairQueue()
    person = push(queue, "a", "i", "first")
    queue.push(person, "back", "back", is_back=True)
    assert queue.first() == "back"


def test_accounts_of_people_who_left_are_forgotten() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(5 * SWEEP_AT):
        person = push(queue, "a", str(number), "x")
        assert queue.first() == "x"
        queue.remove(person, "x")
        assert queue.first() is None
    assert len(person.app.people) <= SWEEP_AT


@pytest.mark.fuzz
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("ij"), st.integers(0, 9)), max_size=60
    ),
    st.data(),
)
def test_the_first_is_always_of_an_app_with_the_lowest_counter(
    arrivals: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    queue: FairQueue[Hashable] = FairQueue()
    owners: dict[Hashable, Person[Hashable]] = {}
    for key, (app, name, cost) in enumerate(arrivals):
        person = queue.person(app, name, weight=1.0)
        queue.push(person, key, key)
        owners[key] = person
        fairness.charge(data.draw(st.sampled_from(list(owners.values()))), cost)
        if data.draw(st.booleans()):
            gone = data.draw(st.sampled_from(list(owners)))
            queue.remove(owners.pop(gone), gone)
        first = queue.first()
        assert (first is None) == (not owners)
        if first is not None:
            account = owners[first]
            assert account.app.counter == min(p.app.counter for p in owners.values())
            housemates = [p for p in owners.values() if p.app is account.app]
            assert account.counter == min(p.counter for p in housemates)
        assert set(queue.in_order()) == set(owners)
        assert queue.waiting == len(owners)
        assert queue.apps_waiting == len({id(p.app) for p in owners.values()})
