"""The client against an engine that misbehaves: nothing hangs, everything is told."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from marketplace.inference import client as client_module
from marketplace.inference.client import EngineClient
from marketplace.inference.frames import FrameReader, pack
from marketplace.inference.ports import (
    EngineGone,
    EngineStatus,
    Finished,
    Message,
    Piece,
    Queued,
    Usage,
)
from marketplace.inference.wire import from_status
from marketplace.kernel.errors import Invalid
from tests.inference.engines import make_generation, text_of

type_serve = Callable[[socket.socket, FrameReader], None]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., EngineClient]]:
    """Runs one function for each connection, in the place of an engine; gives the client."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = tmp_path / "engine.sock"
    listener.bind(str(path))
    listener.listen()
    threads: list[Thread] = []
    clients: list[EngineClient] = []

    def accept(behaviours: tuple[type_serve, ...]) -> None:
        for behave in behaviours:
            peer, _ = listener.accept()
            with peer:
                behave(peer, FrameReader())

    def serve_with(*behaviours: type_serve) -> EngineClient:
        threads.append(Thread(target=accept, args=(behaviours,)))
        threads[-1].start()
        clients.append(EngineClient(path, patience_s=0.3))
        return clients[-1]

    yield serve_with
    for client in clients:
        client.close()
    for thread in threads:
        thread.join(10)
    listener.close()


def receive(peer: socket.socket, reader: FrameReader) -> dict[str, object]:
    """The next frame a client sends."""
    while data := peer.recv(65536):
        for frame in reader.feed(data):
            return frame
    raise EOFError


def hang_up(_peer: socket.socket, _reader: FrameReader) -> None:
    """Close at once."""


def answer(*events: list[object]) -> type_serve:
    """Answer the first request with these events, then hang up."""

    def behave(peer: socket.socket, reader: FrameReader) -> None:
        number = receive(peer, reader)["n"]
        peer.sendall(pack({"op": "events", "events": [[number, *event] for event in events]}))

    return behave


FINISHED = ["finished", "stop", [1, 0, 2, 0, 0, 0], "Model"]


def test_events_arrive_as_they_were_sent(serve: Callable[..., EngineClient]) -> None:
    client = serve(answer(["queued", 3], ["piece", "a"], FINISHED))
    queued, first, finished = client.generate(make_generation())
    assert (queued.position, first) == (3, Piece("a"))
    assert finished.usage == Usage(prompt_tokens=1, generated_tokens=2)


def test_pieces_that_wait_to_be_read_are_read_as_one(serve: Callable[..., EngineClient]) -> None:
    client = serve(answer(["queued", 3], ["piece", "a"], ["piece", "b"], FINISHED))
    stream = client.generate(make_generation())
    assert isinstance(next(stream), Queued)
    # The engine hangs up then, which ends the thread that reads from it.
    for thread in threading.enumerate():
        if thread.name == "engine-client":
            thread.join(10)
    assert next(stream) == Piece("ab")
    assert isinstance(next(stream), Finished)


def test_an_engine_that_hangs_up_before_the_end_is_gone(
    serve: Callable[..., EngineClient],
) -> None:
    stream = serve(answer(["piece", "a"])).generate(make_generation())
    assert next(stream) == Piece("a")
    with pytest.raises(EngineGone):
        next(stream)


@pytest.mark.parametrize(
    "nonsense",
    [b"HTTP/1.1 200 OK\r\n", pack({"op": "events"}), pack({"op": "events", "events": [7]})],
)
def test_an_engine_that_talks_nonsense_is_gone(
    serve: Callable[..., EngineClient], nonsense: bytes
) -> None:
    def behave(peer: socket.socket, reader: FrameReader) -> None:
        receive(peer, reader)
        peer.sendall(nonsense)

    with pytest.raises(EngineGone):
        next(serve(behave, behave).generate(make_generation()))


def test_a_request_of_which_nothing_came_is_sent_to_the_next_engine(
    serve: Callable[..., EngineClient],
) -> None:
    client = serve(answer(), answer(["piece", "a"], FINISHED))
    assert text_of(list(client.generate(make_generation()))) == "a"


def test_a_request_that_ends_two_engines_does_not_reach_a_third(
    serve: Callable[..., EngineClient],
) -> None:
    client = serve(answer(), answer(), answer(["piece", "b"], FINISHED))
    with pytest.raises(EngineGone):
        list(client.generate(make_generation()))
    assert text_of(list(client.generate(make_generation()))) == "b"


def test_a_request_that_only_waited_outlives_more_engines(
    serve: Callable[..., EngineClient],
) -> None:
    dying = [answer(["queued", 1])] * 4
    client = serve(*dying, answer(["piece", "a"], FINISHED))
    events = list(client.generate(make_generation()))
    assert [event for event in events if event == Queued(1)] == [Queued(1)] * 4
    assert text_of(events) == "a"


def test_a_request_that_waits_for_an_engine_can_be_cancelled(tmp_path: Path) -> None:
    client = EngineClient(tmp_path / "nothing.sock", patience_s=60)
    stream = client.generate(make_generation(request_id="mine"))
    events: list[object] = []
    reader = Thread(target=lambda: events.extend(stream))
    reader.start()
    while not client._asked:
        reader.join(0.001)
    client.cancel("mine")
    reader.join(10)
    assert events == [Finished("cancelled", Usage(), "")]
    assert not client._asked


def test_a_request_that_cannot_be_sent_leaves_nothing_behind(
    serve: Callable[..., EngineClient],
) -> None:
    client = serve(hang_up)
    with pytest.raises(Invalid, match="cannot be written"):
        next(client.generate(make_generation(json_schema={"const": "\ud800"})))
    assert client._connection is not None
    assert not client._connection.queues


def test_after_a_lost_connection_the_next_request_opens_a_new_one(
    serve: Callable[..., EngineClient],
) -> None:
    client = serve(answer(["piece", "a"]), answer(["piece", "b"], FINISHED))
    with pytest.raises(EngineGone):
        list(client.generate(make_generation()))
    assert text_of(list(client.generate(make_generation()))) == "b"


def test_an_engine_that_does_not_answer_its_status_says_so(
    serve: Callable[..., EngineClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "STATUS_TIMEOUT_S", 0.05)
    monkeypatch.setattr(client_module, "SILENCE_S", 0.05)

    def stay_silent(peer: socket.socket, _reader: FrameReader) -> None:
        while peer.recv(65536):
            continue

    client = serve(stay_silent)
    assert "does not answer" in (client.status().why_not or "")
    with pytest.raises(EngineGone):
        next(client.generate(make_generation()))


def test_a_status_is_read_whole(serve: Callable[..., EngineClient]) -> None:
    status = EngineStatus(ready=True, model="M", active=2)

    def behave(peer: socket.socket, reader: FrameReader) -> None:
        wire = {**from_status(status), "news": "from a newer engine"}
        peer.sendall(pack({"op": "status", "n": receive(peer, reader)["n"], "status": wire}))

    assert serve(behave).status() == status


def test_an_engine_that_ends_during_a_status_is_not_running(
    serve: Callable[..., EngineClient],
) -> None:
    assert "not running" in (serve(hang_up).status().why_not or "")


def test_a_request_too_large_for_a_frame_is_refused(serve: Callable[..., EngineClient]) -> None:
    client = serve(hang_up)
    message = Message("user", "x" * 1_900_000)
    with pytest.raises(Invalid, match="8388608 are allowed"):
        next(client.generate(make_generation(messages=(message,) * 5)))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_opens_its_own_connection(serve: Callable[..., EngineClient]) -> None:
    client = serve(
        answer(["piece", "parent"], FINISHED),
        answer(["piece", "child"], FINISHED),
    )
    assert text_of(list(client.generate(make_generation()))) == "parent"
    child = os.fork()
    if child == 0:
        said = text_of(list(client.generate(make_generation())))
        os._exit(0 if said == "child" else 1)
    assert os.waitpid(child, 0)[1] == 0
