"""Models that do not load and threads that hang or die: the host notices, and goes on."""

import time
from threading import Event

import pytest

from marketplace.inference.host import MEND_AFTER_S
from marketplace.inference.pace import SLOWEST_TOKEN_S, STUCK_S, late_at
from marketplace.inference.ports import ModelUnavailable
from tests.inference.engines import make_generation
from tests.inference.hosts import EngineOfTests, World, error_of, wait_for


def test_a_step_that_never_ends_is_noticed(world: World) -> None:
    world.put("large", "default")
    host = world.host()
    wait_for(world, host, large="loaded")
    world.engines["large"].late_at = late_at(100.0, 256)
    assert not host.is_stuck(100.0 + STUCK_S + 256 * SLOWEST_TOKEN_S)
    assert host.is_stuck(100.1 + STUCK_S + 256 * SLOWEST_TOKEN_S)
    world.engines["large"].late_at = None
    assert not host.is_stuck(1000.0)


def test_a_request_whose_preparation_never_ends_is_noticed(world: World) -> None:
    entered, leave = Event(), Event()

    def hang(*_: object) -> None:
        entered.set()
        leave.wait(10)

    world.put("large", "default")
    host = world.host()
    wait_for(world, host, large="loaded")
    world.engines["large"].submit = hang  # type: ignore[method-assign]  # a bug of ours
    host.submit("key", make_generation())
    assert entered.wait(10)
    assert not host.is_stuck(time.monotonic())
    assert host.is_stuck(time.monotonic() + STUCK_S + 1)
    leave.set()
    world.states(host)
    assert not host.is_stuck(time.monotonic() + STUCK_S + 1)


def test_a_model_that_could_not_be_loaded_is_tried_again(world: World) -> None:
    world.put("large", "default")
    world.files[0].path.unlink()
    host = world.host()
    wait_for(world, host, large="broken")
    world.files[0].path.touch()
    host.look_around()
    assert world.states(host) == {"large": "broken"}
    host._seats[world.files[0].path].broken_at -= MEND_AFTER_S + 1
    host.look_around()
    wait_for(world, host, large="loaded")


def test_a_request_that_trips_over_a_bug_is_answered_and_the_next_one_too(world: World) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    world.put("large", "default")
    host = world.host()
    wait_for(world, host, large="loaded")
    world.engines["large"].submit = fail  # type: ignore[method-assign]  # a bug of ours
    for key in (1, 2):
        host.submit(key, make_generation())
    world.states(host)
    assert [type(error_of(world, key)) for key in (1, 2)] == [ModelUnavailable] * 2


def test_a_decode_thread_that_dies_is_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_engine: EngineOfTests) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(EngineOfTests, "run", die)
    world.put("large", "default")
    world.host()
    assert world.crashed.wait(10)
