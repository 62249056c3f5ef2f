"""The host chooses, loads and unloads models, and hands each request to one."""

from collections.abc import Hashable
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from marketplace.inference import host as host_module
from marketplace.inference.placement import COMPUTE_MARGIN_BYTES, Room
from marketplace.inference.ports import (
    Embedding,
    Finished,
    ModelUnavailable,
    QueueFull,
    Usage,
    Wants,
)
from marketplace.kernel.errors import CaravanError, Invalid, Limited
from tests.inference.engines import make_generation
from tests.inference.hosts import MIB, World, error_of, small, wait_for, wait_taken


def test_the_default_is_loaded_at_once_and_another_when_it_is_asked_for(world: World) -> None:
    world.put("large", "default")
    world.put("quick", "small")
    host = world.host()
    wait_for(world, host, large="loaded", quick="unloaded")
    world.may_load.clear()
    host.submit("a", small("a"))
    host.submit("b", small("b"))
    assert world.states(host)["quick"] == "loading"
    assert host.status().waiting == 2
    world.may_load.set()
    wait_for(world, host, quick="loaded")
    wait_taken(world, "quick", "a", "b")
    assert world.engines["large"].taken == []


def test_a_request_that_waits_for_its_model_can_be_cancelled(world: World) -> None:
    world.may_load.clear()
    world.put("large", "default")
    host = world.host()
    host.submit("a", make_generation())
    world.states(host)
    host.cancel("a")
    host.cancel("unknown")
    assert world.states(host) == {"large": "loading"}
    assert world.events == [("a", Finished("cancelled", Usage(), "Large"))]
    world.may_load.set()
    wait_for(world, host, large="loaded")
    host.submit("b", make_generation())
    world.states(host)
    host.cancel("b")
    world.states(host)
    assert set(world.engines["large"].cancelled) == {"b"}


def test_what_nobody_uses_is_unloaded_but_not_the_default_nor_what_answers(world: World) -> None:
    world.put("large", "default")
    world.put("quick", "small")
    host = world.host(unload_after_s=1)
    host.submit("a", small("a"))
    wait_for(world, host, large="loaded", quick="loaded")
    for seat in host._seats.values():
        seat.used_at -= 2
    host.look_around()
    assert world.states(host) == {"large": "loaded", "quick": "loaded"}
    world.engines["quick"].finish("a")
    host.look_around()
    assert world.states(host) == {"large": "loaded", "quick": "unloaded"}
    assert world.engines["quick"].has_stopped.is_set()


def test_an_idle_model_makes_room_and_one_that_answers_does_not(world: World) -> None:
    for name, role in (("large", "default"), ("quick", "small"), ("vectors", "embed")):
        world.put(name, role)
    host = world.host(models_memory_mib=200)
    host.submit("a", small("a"))
    wait_for(world, host, large="loaded", quick="loaded")
    host.submit("b", make_generation())
    host.submit("c", Embedding("c", "app", "person", ("text",)))
    assert world.states(host)["vectors"] == "unloaded"
    refused = error_of(world, "c")
    assert isinstance(refused, Limited)
    assert "no room beside those that are answering. Try again in 10 s." in refused.message
    world.engines["quick"].finish("a")
    host.submit("d", Embedding("d", "app", "person", ("text",)))
    wait_for(world, host, large="loaded", quick="unloaded", vectors="loaded")
    wait_taken(world, "vectors", "d")


def test_a_model_larger_than_the_limit_says_both_figures(world: World) -> None:
    world.put("large", "default")
    host = world.host(models_memory_mib=50)
    assert world.states(host) == {"large": "broken"}
    host.submit("a", make_generation())
    world.states(host)
    assert "needs 100.0 MiB, and the setting models_memory_mib allows 50.0 MiB" in (
        error_of(world, "a").message
    )
    assert host.status().why_not == error_of(world, "a").message


def test_without_a_limit_free_memory_is_what_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_module.devices, "room", lambda _devices: Room(MIB))
    world.put("large", "default")
    host = world.host()
    # Alone it is loaded all the same; where it lies is the engine's to find out.
    wait_for(world, host, large="loaded")


def test_what_is_free_on_an_accelerator_counts_beside_main_memory(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def room(devices: object) -> Room:
        return Room(MIB, gpu_bytes=(COMPUTE_MARGIN_BYTES + 100 * MIB,) if devices else ())

    monkeypatch.setattr(host_module.devices, "room", room)
    world.put("large", "default")
    world.put("quick", "small")
    host = world.host()
    wait_for(world, host, large="loaded")
    host.submit("a", small("a"))
    wait_for(world, host, large="loaded", quick="loaded")


def test_a_choice_that_changes_is_taken_up_without_a_restart(world: World) -> None:
    world.put("old", "default")
    host = world.host()
    wait_for(world, host, old="loaded")
    world.put("new", "default")
    world.files.pop(0)
    host.look_around()
    wait_for(world, host, new="loaded")
    assert world.states(host) == {"new": "loaded"}
    world.files[0] = replace(world.files[0], roles=("default", "small"))
    host.submit("a", small("a"))
    world.states(host)
    wait_taken(world, "new", "a")


@pytest.mark.parametrize(
    ("request_", "kind", "sentence"),
    [
        (make_generation(model="gpt"), Invalid, "There is no model gpt. There are: large, quick."),
        (make_generation(model="vectors"), Invalid, "There is no model vectors."),
        (
            make_generation(wants=Wants(context=9000)),
            ModelUnavailable,
            "largest of this store holds",
        ),
        (make_generation(wants=Wants(vision=True)), ModelUnavailable, "sees pictures"),
    ],
)
def test_what_no_model_can_do_is_refused_in_a_sentence(
    world: World, request_: Any, kind: type[CaravanError], sentence: str
) -> None:
    for name, role in (("large", "default"), ("quick", "small"), ("vectors", "embed")):
        world.put(name, role)
    host = world.host()
    host.submit("a", request_)
    world.states(host)
    assert isinstance(error_of(world, "a"), kind)
    assert sentence in error_of(world, "a").message


def test_without_any_model_the_reason_is_the_answer(world: World) -> None:
    host = world.host()
    host.submit("a", make_generation())
    assert world.states(host) == {}
    assert error_of(world, "a").message == host.status().why_not
    assert "Add one with `marketplace models add`" in (host.status().why_not or "")


def test_a_wish_to_stop_waits_for_nobodys_preparation(world: World) -> None:
    entered, leave = Event(), Event()

    def hang(key: Hashable, *_: object) -> None:
        entered.set()
        leave.wait(10)

    world.put("large", "default")
    host = world.host()
    wait_for(world, host, large="loaded")
    host.submit("running", make_generation())
    world.states(host)
    world.engines["large"].submit = hang  # type: ignore[method-assign]  # a slow adapter, say
    host.submit("slow", make_generation())
    assert entered.wait(10)
    host.submit("waiting", make_generation())
    host.cancel("waiting")
    host.cancel("running")
    assert world.events == [("waiting", Finished("cancelled", Usage(), ""))]
    assert world.engines["large"].cancelled == ["running"]
    leave.set()


def test_one_app_cannot_fill_what_waits_to_be_prepared(world: World) -> None:
    world.put("large", "default")
    world.may_load.clear()
    host = world.host(queue_per_app=2, max_sequences=1)
    for number in range(4):
        host.submit(number, make_generation())
        world.states(host)
    assert [(key, type(event)) for key, event in world.events] == [(2, QueueFull), (3, QueueFull)]
    leave, entered = Event(), Event()
    host._intake.submit(lambda: (entered.set(), leave.wait(10)))
    assert entered.wait(10)
    for number in range(3):
        host.submit(f"more {number}", make_generation())
    with pytest.raises(QueueFull, match="3 requests of this app"):
        host.submit("too many", make_generation())
    host.submit("other", make_generation(app="caravan.other"))
    leave.set()


def test_a_release_that_is_gone_is_forgotten_by_every_loaded_model(world: World) -> None:
    world.put("large", "default")
    world.put("eyes", "vision")
    host = world.host()
    world.states(host)
    host.forget("app@1")
    world.states(host)
    assert world.engines["large"].forgotten == ["app@1"]
    assert "eyes" not in world.engines  # nothing is loaded for it
