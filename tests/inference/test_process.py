"""The engine process: its start, its end, its peers, and what happens when it is killed."""

import signal
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from marketplace.inference.additions import add
from marketplace.inference.client import EngineClient
from marketplace.inference.frames import LENGTH, FrameReader, pack
from marketplace.inference.ports import EngineGone, Finished, Piece, Queued, Wants
from marketplace.inference.process import shelf
from marketplace.inference.registry import Registry
from marketplace.inference.wire import from_generation
from marketplace.infra.blobs import Blobs
from marketplace.kernel.errors import Invalid, Limited, Unavailable
from tests.inference.conftest import require_llama, type_start
from tests.inference.engines import (
    EngineEnded,
    EngineProcess,
    end_of,
    make_generation,
    start_engine,
    text_of,
)
from tests.inference.tiny_adapters import write_adapter

LONG = 15_000  # tokens: seconds of decoding, longer than any test waits


def connect(path: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(10)
    peer.connect(str(path))
    return peer


def read_until_closed(peer: socket.socket) -> list[dict[str, object]]:
    reader, frames = FrameReader(), []
    while data := peer.recv(65536):
        frames += reader.feed(data)
    return frames


def wait_until(client: EngineClient, *, active: int, waiting: int = 0) -> None:
    """Returns when so many requests are computed and wait; steps of the engine are waited for."""
    deadline = time.monotonic() + 10
    while ((status := client.status()).active, status.waiting) != (active, waiting):
        assert time.monotonic() < deadline, status
        time.sleep(0.01)


@pytest.mark.usefixtures("_llama")
def test_an_engine_killed_mid_answer_is_told_at_once_and_the_next_one_answers(
    start: type_start, noise: Path, alphabet: Path
) -> None:
    settings = ("--settings", '{"context": 16384, "max_sequences": 1}')
    engine = start("--model", noise, *settings)
    client = EngineClient(engine.socket)
    stream = client.generate(make_generation(max_tokens=LONG))
    assert isinstance(next(stream), Piece)
    killed_at = time.monotonic()
    assert engine.kill() == -signal.SIGKILL
    with pytest.raises(EngineGone, match="stopped while it was answering"):
        list(stream)
    assert time.monotonic() - killed_at < 2
    start("--model", alphabet)
    assert text_of(list(client.generate(make_generation(max_tokens=3)))) == "abc"
    client.close()


@pytest.mark.usefixtures("_llama")
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGABRT])
def test_what_was_only_queued_when_the_engine_died_is_answered_by_the_next(
    start: type_start, noise: Path, signum: signal.Signals
) -> None:
    settings = ("--settings", '{"context": 16384, "max_sequences": 1}')
    engine = start("--model", noise, *settings)
    client = EngineClient(engine.socket, patience_s=30)
    writing = client.generate(make_generation(max_tokens=LONG))
    assert isinstance(next(writing), Piece)
    queued = [client.generate(make_generation(max_tokens=3, person=str(n))) for n in range(3)]
    assert [next(stream) for stream in queued] == [Queued(0), Queued(1), Queued(2)]
    engine.process.send_signal(signum)
    assert engine.process.wait(10) == -signum
    with pytest.raises(EngineGone, match="stopped while it was answering"):
        list(writing)
    start("--model", noise, *settings)
    answers = [end_of(list(stream)).usage.generated_tokens for stream in queued]
    assert answers == [3, 3, 3]
    client.close()


@pytest.mark.usefixtures("_llama")
def test_a_request_waits_for_an_engine_that_is_about_to_start(
    start: type_start, alphabet: Path, tmp_path: Path
) -> None:
    client = EngineClient(tmp_path / "engine.sock", patience_s=20)
    assert not client.status().ready
    stream = client.generate(make_generation(max_tokens=3))
    engine = start("--model", alphabet)
    assert text_of(list(stream)) == "abc"
    client.close()
    assert engine.stop() == 0


def test_without_an_engine_a_request_is_refused_after_its_patience(tmp_path: Path) -> None:
    client = EngineClient(tmp_path / "nothing.sock", patience_s=0.1)
    with pytest.raises(Unavailable, match="not running"):
        next(client.generate(make_generation()))
    assert "not running" in (client.status().why_not or "")


@pytest.mark.usefixtures("_llama")
def test_sigterm_ends_the_engine_cleanly_even_while_it_answers(
    start: type_start, noise: Path
) -> None:
    engine = start("--model", noise, "--settings", '{"context": 16384}')
    client = EngineClient(engine.socket)
    stream = client.generate(make_generation(max_tokens=LONG))
    next(stream)
    assert engine.stop() == 0
    assert not engine.socket.exists()
    with pytest.raises(EngineGone):
        list(stream)


def test_an_engine_without_a_model_serves_the_reason(start: type_start, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 100)
    client = EngineClient(start("--model", broken).socket)
    with pytest.raises(Unavailable, match=r"broken\.gguf begins like|cannot be loaded"):
        next(client.generate(make_generation()))
    assert not client.status().ready
    client.close()


def test_an_engine_without_llama_cpp_serves_the_reason(
    start: type_start, alphabet: Path, tmp_path: Path
) -> None:
    stub = tmp_path / "stub" / "llama_cpp"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text("raise ImportError('no such wheel')\n")
    client = EngineClient(start("--model", alphabet, PYTHONPATH=str(stub.parent)).socket)
    with pytest.raises(Unavailable, match="llama-cpp-python cannot be loaded: no such wheel"):
        next(client.generate(make_generation()))
    client.close()


def test_a_second_engine_on_the_same_socket_is_refused(noise_engine: EngineProcess) -> None:
    with pytest.raises(EngineEnded):
        start_engine(noise_engine.socket, "--model", "none.gguf")


def test_only_its_user_may_talk_to_the_engine(noise_engine: EngineProcess) -> None:
    assert noise_engine.socket.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (LENGTH.pack(1) + b"\xc1", "not msgpack"),
        (LENGTH.pack(0xFFFFFFFF), "are allowed"),
        (pack({"op": "fly", "n": 1}), "no operation `fly`"),
        (pack({"op": "status"}), "no number"),
    ],
)
def test_a_bad_frame_ends_that_connection_with_the_reason_and_no_other(
    noise_engine: EngineProcess, client: EngineClient, sent: bytes, reason: str
) -> None:
    with connect(noise_engine.socket) as peer:
        peer.sendall(sent)
        [closed] = read_until_closed(peer)
    assert closed["op"] == "closed"
    assert reason in str(closed["reason"])
    assert client.status().pid == noise_engine.process.pid


def test_a_number_in_use_ends_the_connection(noise_engine: EngineProcess) -> None:
    frame = pack(
        {"op": "generate", "n": 1, "generation": from_generation(make_generation(max_tokens=LONG))}
    )
    with connect(noise_engine.socket) as peer:
        peer.sendall(frame + frame)
        frames = read_until_closed(peer)
    assert "The number 1 is in use." in str(frames[-1]["reason"])


def test_a_request_of_the_wrong_shape_is_an_error_event(noise_engine: EngineProcess) -> None:
    with connect(noise_engine.socket) as peer:
        peer.sendall(pack({"op": "generate", "n": 4, "generation": {"app": 7}}))
        [frame] = FrameReader().feed(peer.recv(65536))
    [[number, kind, family, message, rule, _]] = frame["events"]
    assert (number, kind, family, rule) == (4, "error", "invalid", "llm.request")
    assert "wrong at `request_id`" in message


def test_a_vanished_peer_frees_its_slots(noise_engine: EngineProcess, client: EngineClient) -> None:
    request = from_generation(make_generation(max_tokens=LONG))
    with connect(noise_engine.socket) as peer:
        for number in range(4):
            peer.sendall(pack({"op": "generate", "n": number, "generation": request}))
        wait_until(client, active=2, waiting=2)
    wait_until(client, active=0)


def test_closing_the_iterator_frees_the_slot(client: EngineClient) -> None:
    stream = client.generate(make_generation(max_tokens=LONG))
    next(stream)
    assert client.status().active == 1
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    wait_until(client, active=0)


def test_a_cancelled_answer_pays_for_what_was_made(client: EngineClient) -> None:
    stream = client.generate(make_generation(max_tokens=LONG, request_id="stop me"))
    events = [next(stream)]
    client.cancel("stop me")
    events += stream
    finished = end_of(events)
    assert finished.reason == "cancelled"
    assert 0 < finished.usage.generated_tokens < LONG


def test_a_reader_that_does_not_read_holds_nobody_up(
    noise_engine: EngineProcess, client: EngineClient
) -> None:
    request = from_generation(make_generation(max_tokens=LONG))
    with connect(noise_engine.socket) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.sendall(pack({"op": "generate", "n": 1, "generation": request}))
        peer.recv(1)  # and never again
        events = list(client.generate(make_generation(max_tokens=300)))
        assert end_of(events).usage.generated_tokens == 300
    wait_until(client, active=0)


def test_requests_beyond_the_slots_learn_their_place_and_those_beyond_the_queue_are_refused(
    client: EngineClient,
) -> None:
    running = [client.generate(make_generation(max_tokens=LONG, app="busy")) for _ in range(2)]
    for stream in running:
        # Who comes in the middle of a step is told to wait for its end.
        assert any(isinstance(event, Piece) for event in stream)
    first = client.generate(make_generation(max_tokens=2, app="busy"))
    assert next(first) == Queued(0)
    second = client.generate(make_generation(max_tokens=2, app="busy"))
    assert next(second) == Queued(1)
    with pytest.raises(Limited, match="2 requests of this app are waiting") as refused:
        next(client.generate(make_generation(app="busy")))
    assert refused.value.retry_after_s >= 1
    for stream in running:
        stream.close()  # type: ignore[attr-defined]  # it is a generator
    assert isinstance(list(first)[-1], Finished)
    finished = list(second)[-1]
    assert isinstance(finished, Finished)
    assert finished.usage.queue_ms > 0


def test_the_given_model_is_served_else_those_of_the_registry_else_the_built_in_one(
    tmp_path: Path, alphabet: Path
) -> None:
    def paths(*given: Path | None) -> list[Path]:
        return [file.path for file in shelf(*given)()]

    assert paths(alphabet, tmp_path, None) == [alphabet]
    assert paths(None, tmp_path, alphabet) == [alphabet]
    assert paths(None, None, alphabet) == [alphabet]
    assert paths(None, tmp_path, None) == paths(None, None, None) == []


@pytest.mark.usefixtures("_llama")
def test_a_store_with_several_models_answers_with_the_one_an_app_needs(
    start: type_start, alphabet: Path, noise: Path, tmp_path: Path
) -> None:
    registry = Registry(tmp_path / "models", alphabet)
    add(registry, str(noise), now=datetime(2026, 3, 1, tzinfo=UTC), accept=lambda _: True)
    engine = start("--data-dir", tmp_path, "--demo-model", alphabet)
    client = EngineClient(engine.socket, patience_s=30)

    def model_of(**given: Any) -> str:
        return end_of(list(client.generate(make_generation(max_tokens=2, **given)))).model

    assert model_of(wants=Wants(small=True)) == "Alphabet"
    registry.use("noise", "small")
    assert model_of(wants=Wants(small=True)) == "Noise"
    assert model_of() == model_of(model="caravan-demo") == "Alphabet"
    assert model_of(model="noise") == "Noise"
    states = {model.name: (model.roles, model.state) for model in client.status().models}
    assert states == {"caravan-demo": (("default",), "loaded"), "noise": (("small",), "loaded")}
    with pytest.raises(Invalid, match=r"There is no model gpt\. There are: caravan-demo, noise\."):
        model_of(model="gpt")
    with pytest.raises(Unavailable, match="needs a model that holds 99999 tokens"):
        model_of(wants=Wants(context=99_999))
    (tmp_path / "models" / "registry.json").write_text("{")
    with pytest.raises(Unavailable, match="cannot be read"):
        model_of()
    client.close()


@pytest.fixture
def _llama() -> None:
    require_llama()


def test_the_engine_of_a_store_finds_the_adapters_of_its_apps(
    start: type_start, noise: Path, tmp_path: Path
) -> None:
    require_llama()
    adapter = write_adapter(tmp_path / "adapter.gguf").read_bytes()
    key = Blobs(tmp_path / "blobs").put(adapter)
    engine = start("--model", noise, "--data-dir", tmp_path)
    client = EngineClient(engine.socket, patience_s=20)
    plain, tuned = (
        text_of(list(client.generate(make_generation(adapter=wanted)))) for wanted in (None, key)
    )
    assert plain != tuned
    with pytest.raises(Invalid, match="There is no adapter"):
        next(client.generate(make_generation(adapter="0" * 64)))
    client.close()
