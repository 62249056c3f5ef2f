"""The watchdog knows honest work from a thread that will never come back."""

import time
from threading import Event
from types import SimpleNamespace

from marketplace.inference.host import STUCK_S, EngineHost
from marketplace.inference.ports import ModelUnavailable
from marketplace.inference.settings import InferenceSettings
from tests.inference.engines import make_generation


def make_host(emit: object = None) -> EngineHost:
    return EngineHost(
        None, "There is no model.", InferenceSettings(), emit or (lambda _: None), lambda: None
    )


def test_a_step_that_never_ends_is_noticed() -> None:
    host = make_host()
    host._engine = SimpleNamespace(step_began_at=100.0)
    assert not host.is_stuck(100.0 + STUCK_S)
    assert host.is_stuck(100.1 + STUCK_S)
    host._engine = SimpleNamespace(step_began_at=None)
    assert not host.is_stuck(1000.0)


def test_a_request_whose_preparation_never_ends_is_noticed() -> None:
    entered, leave = Event(), Event()

    def hang(*_: object) -> None:
        entered.set()
        leave.wait(10)

    host = make_host()
    host._engine = SimpleNamespace(step_began_at=None, submit=hang, stop=lambda: None)
    host.submit("key", make_generation())
    assert entered.wait(10)
    assert not host.is_stuck(time.monotonic())
    assert host.is_stuck(time.monotonic() + STUCK_S + 1)
    leave.set()
    host._intake.shutdown(wait=True)
    assert not host.is_stuck(time.monotonic() + STUCK_S + 1)


def test_a_request_that_trips_over_a_bug_is_answered_and_the_next_one_too() -> None:
    events: list[object] = []

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    host = make_host(events.extend)
    host._engine = SimpleNamespace(step_began_at=None, submit=fail)
    for key in (1, 2):
        host.submit(key, make_generation())
    host._intake.shutdown(wait=True)
    assert [key for key, _ in events] == [1, 2]
    assert all(isinstance(error, ModelUnavailable) for _, error in events)


def test_a_decode_thread_that_dies_is_reported() -> None:
    crashed = Event()

    def die() -> None:
        raise ZeroDivisionError

    host = EngineHost(None, "None.", InferenceSettings(), lambda _: None, crashed.set)
    host._engine = SimpleNamespace(run=die, stop=lambda: None)
    host.start()
    assert crashed.wait(10)
    host.close()
