"""Hosts whose engines do nothing by themselves, and what may be waited for in them."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from marketplace.inference.host import EngineHost
from marketplace.inference.ports import Device, EngineStatus, Finished, Usage, Wants
from marketplace.inference.settings import InferenceSettings
from marketplace.inference.shelf import ModelFile
from marketplace.kernel.errors import CaravanError
from tests.inference.engines import make_generation

MIB = 2**20


@dataclass
class World:
    """Engines that do nothing by themselves, over files that exist; and what they were told."""

    folder: Path
    files: list[ModelFile] = field(default_factory=list)
    engines: dict[str, "EngineOfTests"] = field(default_factory=dict)
    may_load: Event = field(default_factory=Event)
    crashed: Event = field(default_factory=Event)
    events: list[tuple[Hashable, Any]] = field(default_factory=list)
    hosts: list[EngineHost] = field(default_factory=list)

    def put(self, name: str, *roles: str, context: int = 4096) -> None:
        """Lay a model on the shelf."""
        path = self.folder / f"{name}.gguf"
        path.touch()
        self.files.append(ModelFile(name, name.title(), path, roles, context))

    def host(self, **given: Any) -> EngineHost:
        """A started host over the shelf."""
        host = EngineHost(
            lambda: tuple(self.files),
            InferenceSettings(**given),
            self.events.extend,
            self.crashed.set,
        )
        self.hosts.append(host)
        host.start()
        return host

    def states(self, host: EngineHost) -> dict[str, str]:
        """Model → its state, once everything the host was asked is done."""
        for _ in range(2):  # what a load was waited for is handed on by a second task
            host._intake.submit(lambda: None).result(10)
        return {model.name: model.state for model in host.status().models}


class EngineOfTests:
    """Takes requests and answers them when told to."""

    def __init__(self, world: World, path: Path, emit: Callable[[list[Any]], None]) -> None:
        assert world.may_load.wait(10)
        self.emit = emit
        self.taken: list[Hashable] = []
        self.cancelled: list[Hashable] = []
        self.forgotten: list[str] = []
        self.late_at: float | None = None
        self.has_stopped = Event()
        world.engines[path.stem] = self

    def run(self) -> None:
        self.has_stopped.wait(10)

    def stop(self) -> None:
        self.has_stopped.set()

    def submit(self, key: Hashable, _request: object) -> None:
        self.taken.append(key)

    embed = submit

    def cancel(self, key: Hashable) -> None:
        self.cancelled.append(key)

    def forget(self, release: str) -> None:
        self.forgotten.append(release)

    def finish(self, key: Hashable) -> None:
        self.emit([(key, Finished("stop", Usage(), "model"))])

    def devices(self) -> tuple[Device, ...]:
        return (Device("GPU0", "", "gpu", 0, 0),)

    def status(self) -> EngineStatus:
        return EngineStatus(ready=True, context=4096, gpu_bytes=0, ram_bytes=100 * MIB)


def wait_for(world: World, host: EngineHost, **states: str) -> None:
    """Returns once these models are in these states."""
    deadline = time.monotonic() + 10
    while not states.items() <= world.states(host).items():
        assert time.monotonic() < deadline, world.states(host)


def wait_taken(world: World, model: str, *keys: str) -> None:
    """Returns once an engine has exactly these requests; a loaded one gets them a moment later."""
    deadline = time.monotonic() + 10
    while world.engines[model].taken != list(keys):
        assert time.monotonic() < deadline, world.engines[model].taken


def small(key: str) -> Any:
    """A request for the small model."""
    return make_generation(wants=Wants(small=True), request_id=key)


def error_of(world: World, key: Hashable) -> CaravanError:
    """The refusal that was all a request got."""
    [error] = [event for known, event in world.events if known == key]
    assert isinstance(error, CaravanError)
    return error
