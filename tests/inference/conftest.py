"""Tiny models on disk, and hosts and engine processes that are ended with the test."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from marketplace.inference import seats as seats_module
from marketplace.inference.client import EngineClient
from tests.inference.engines import EngineProcess, make_generation, start_engine
from tests.inference.hosts import MIB, EngineOfTests, World
from tests.inference.tiny_models import write_alphabet, write_noise

type_start = Callable[..., EngineProcess]


def require_llama() -> None:
    """Skip where llama.cpp is not installed, except where it has to be."""
    if importlib.util.find_spec("llama_cpp") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("llama-cpp-python is not installed, so the engine cannot be tested.")
        pytest.skip("llama-cpp-python is not installed")


@pytest.fixture(scope="session")
def alphabet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers everything with the alphabet."""
    return write_alphabet(tmp_path_factory.mktemp("models") / "alphabet.gguf")


@pytest.fixture(scope="session")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights that never ends by itself."""
    return write_noise(tmp_path_factory.mktemp("models") / "noise.gguf")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[type_start]:
    """Starts engine processes on one socket; what still runs at the end is killed."""
    started: list[EngineProcess] = []

    def start_one(*arguments: str | Path, **environment: str) -> EngineProcess:
        engine = start_engine(tmp_path / "engine.sock", *arguments, **environment)
        started.append(engine)
        return engine

    yield start_one
    for engine in started:
        engine.kill()


@pytest.fixture(scope="session")
def noise_engine(noise: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """One engine process with two slots and long contexts, shared by tests that do not end it."""
    require_llama()
    engine = start_engine(
        tmp_path_factory.mktemp("noise") / "engine.sock",
        "--model",
        noise,
        "--settings",
        '{"max_sequences": 2, "context": 16384, "queue_per_app": 2}',
    )
    first = EngineClient(engine.socket, patience_s=20)
    list(first.generate(make_generation(max_tokens=1)))  # waits until the model is loaded
    first.close()
    yield engine
    assert engine.stop() == 0


@pytest.fixture
def client(noise_engine: EngineProcess) -> Iterator[EngineClient]:
    """A client of the shared engine."""
    client = EngineClient(noise_engine.socket)
    yield client
    client.close()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Hosts over engines that do nothing by themselves; they are closed with the test."""
    world = World(tmp_path)
    world.may_load.set()
    package = SimpleNamespace(
        Engine=lambda path, _settings, emit, _blobs, projector: EngineOfTests(world, path, emit)
    )
    monkeypatch.setattr(seats_module, "import_module", lambda _name: package)
    monkeypatch.setattr(seats_module.Seat, "needed_bytes", lambda _seat: 100 * MIB)
    yield world
    world.may_load.set()
    for host in world.hosts:
        host.close()
