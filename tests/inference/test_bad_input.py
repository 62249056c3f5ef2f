"""Whatever a client sends, the engine lives, says what is wrong, and nobody else notices."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.inference.client import EngineClient
from marketplace.inference.frames import LENGTH, FrameReader, pack
from marketplace.inference.ports import Embedding, Message
from marketplace.inference.wire import from_generation
from marketplace.kernel.errors import Invalid
from tests.inference.conftest import require_llama
from tests.inference.engines import (
    ROOT,
    EngineProcess,
    end_of,
    make_generation,
    start_engine,
    text_of,
)
from tests.inference.values import VALUES

DEMO = ROOT / "models" / "caravan-demo.gguf"
CONTEXT = 1024
CLIENTS = 1000
TEN_MB = 10_000_000
QUIET = make_generation("Where is the train station?", app="caravan.quiet", max_tokens=200)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """The real engine with the model that comes with the store; it lives to the end."""
    require_llama()
    engine = start_engine(tmp_path_factory.mktemp("bad") / "engine.sock", "--model", DEMO)
    yield engine
    assert engine.process.poll() is None
    assert engine.stop() == 0


@pytest.fixture(scope="module")
def undisturbed(engine: EngineProcess) -> str:
    """What a run that nobody disturbs is answered."""
    client = EngineClient(engine.socket, patience_s=30)
    text = text_of(list(client.generate(QUIET)))
    client.close()
    assert text
    return text


@pytest.fixture
def beside(engine: EngineProcess, undisturbed: str) -> Iterator[EngineClient]:
    """A client, while another one's run goes on and must be answered as ever."""
    other, said = EngineClient(engine.socket, patience_s=30), []
    run = Thread(target=lambda: said.append(text_of(list(other.generate(QUIET)))))
    run.start()
    client = EngineClient(engine.socket, patience_s=30)
    yield client
    run.join(60)
    status = client.status()
    assert said == [undisturbed]
    assert status.pid == engine.process.pid
    client.close()
    other.close()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"messages": ()}, "wrong at `messages"),
        ({"messages": (Message("user", "word " * 5 * CONTEXT),)}, "the model can hold 1024"),
        ({"messages": (Message("user", "x" * 2_000_000),)}, "the model can hold 1024"),
        ({"messages": (Message("user", "x" * TEN_MB),)}, "wrong at `messages.0.content"),
        ({"messages": (Message("user", "x" * 1_900_000),) * 5}, "8388608 are allowed"),
        ({"messages": (Message("user", "\ud800"),)}, "wrong at `messages.0.content"),
        ({"person": "\ud800"}, "wrong at `person`"),
        ({"json_schema": {"const": "\ud800"}}, "cannot be written"),
        ({"messages": (Message("emperor", "Obey."),)}, "wrong at `messages.0.role"),
        ({"max_tokens": 0}, "wrong at `max_tokens`"),
        ({"max_tokens": -1}, "wrong at `max_tokens`"),
        ({"max_tokens": 10**9}, "wrong at `max_tokens`"),
        ({"temperature": float("nan")}, "wrong at `temperature`"),
        ({"temperature": float("inf")}, "wrong at `temperature`"),
        ({"top_p": float("nan")}, "wrong at `top_p`"),
        ({"seed": -1}, "wrong at `seed`"),
        ({"stop": ("x" * 100_000,)}, "wrong at `stop.0`"),
        ({"stop": ("x",) * 100}, "wrong at `stop`"),
        ({"logprobs": 99}, "wrong at `logprobs`"),
        ({"tool_choice": "weather"}, "No tool weather is offered"),
        ({"tool_choice": "required"}, "No tool required is offered"),
        ({"adapter": "gold"}, "wrong at `adapter`"),
        ({"adapter": "0" * 64}, "adapter 000000000000"),
        ({"json_schema": {"type": "no such type"}}, "schema"),
        ({"json_schema": {"$ref": "#/$defs/gone"}}, "schema"),
        ({"grammar": "root ::= ["}, "grammar"),
        ({"grammar": "root ::= root"}, "grammar"),
        ({"model": "gpt-9"}, "There is no model gpt-9. There are: caravan-demo."),
        ({"app": "x" * 10_000}, "wrong at `app`"),
    ],
)
def test_each_wrong_request_is_refused_in_a_sentence(
    beside: EngineClient, wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Invalid, match=sentence) as refused:
        list(beside.generate(make_generation(**wrong)))
    assert refused.value.message.endswith(".")
    assert len(refused.value.message) < 500


@pytest.mark.parametrize("content", ["", " ", "\0", "\0" * 100, "\u202e\ufeff", "🐫" * 100])
def test_odd_words_are_answered(beside: EngineClient, content: str) -> None:
    assert end_of(list(beside.generate(make_generation(content, max_tokens=2))))


@pytest.mark.parametrize("texts", [(), ("",), ("x" * 2_000_000,)])
def test_wrong_texts_get_no_vectors(beside: EngineClient, texts: tuple[str, ...]) -> None:
    with pytest.raises(Invalid):
        beside.embed(Embedding("request", "caravan.test", "person", texts))


def connect(path: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.connect(str(path))
    peer.settimeout(60)
    return peer


def wire(**changed: Any) -> dict[str, Any]:
    """A request as it is sent, with fields of any kind."""
    return {**from_generation(make_generation(max_tokens=2)), **changed}


def body(content: bytes) -> bytes:
    return LENGTH.pack(len(content)) + content


@pytest.mark.parametrize(
    "sent",
    [
        body(msgpack.packb({"op": "generate", "n": 1, "generation": wire()}) + b"\xff"),
        body(msgpack.packb({"op": "generate", "n": 1}).replace(b"generate", b"gener\xff\xfee")),
        LENGTH.pack(TEN_MB) + b"x" * 100_000,
        b"GET / HTTP/1.1\r\nHost: engine\r\n\r\n",
        pack({"op": "generate", "n": "one", "generation": wire()}),
        pack({"op": "generate", "n": 1, "generation": wire()}) * 2,
        pack({"op": "open the door", "n": 1}),
    ],
)
def test_a_peer_that_breaks_the_rules_is_told_and_hung_up_on(
    beside: EngineClient, engine: EngineProcess, sent: bytes
) -> None:
    with connect(engine.socket) as peer:
        peer.sendall(sent)
        frames, reader = [], FrameReader()
        while data := peer.recv(65_536):
            frames += reader.feed(data)
    assert frames[-1]["op"] == "closed"
    assert frames[-1]["reason"].endswith(".")


def test_clients_that_vanish_leave_nothing_behind(
    beside: EngineClient, engine: EngineProcess
) -> None:
    for size in range(0, 200, 7):
        with connect(engine.socket) as peer:
            frame = pack({"op": "generate", "n": 1, "generation": wire(max_tokens=900)})
            peer.sendall(frame[: size or None])
    # The last of them may still be leaving; whoever asks now is answered all the same.
    assert end_of(list(beside.generate(make_generation(max_tokens=2))))


def test_a_thousand_clients_at_once_are_answered_or_told_to_come_back(
    beside: EngineClient, engine: EngineProcess
) -> None:
    with ExitStack() as stack:
        peers = [stack.enter_context(connect(engine.socket)) for _ in range(CLIENTS)]
        for number, peer in enumerate(peers):
            generation = wire(app=f"caravan.app{number % 40}", person=str(number))
            peer.sendall(pack({"op": "generate", "n": number, "generation": generation}))
        ends = [last_event(peer) for peer in peers]
    answered = [event for event in ends if event[1] == "finished"]
    refused = [event for event in ends if event[1] == "error"]
    assert len(answered) + len(refused) == CLIENTS
    assert len(answered) >= CLIENTS / 2
    for _number, _kind, family, message, rule, retry_after_s in refused:
        assert (family, rule) == ("limited", "llm.queue")
        assert f"Try again in {retry_after_s} s." in message


def last_event(peer: socket.socket) -> list[Any]:
    """The event that ends the one request of a peer."""
    reader = FrameReader()
    while data := peer.recv(65_536):
        for frame in reader.feed(data):
            for event in frame["events"]:
                if event[1] in {"finished", "error"}:
                    return list(event)
    raise EOFError


SENT = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=200).map(body),
    VALUES.map(lambda value: body(msgpack.packb(value))),
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["generate", "embed", "cancel", "status", "x"]),
            "n": st.integers(-2, 5) | VALUES,
            "generation": VALUES,
            "embedding": VALUES,
        }
    ).map(pack),
    st.tuples(st.sampled_from(sorted(wire())), VALUES, st.integers(0, 5)).map(
        lambda odd: pack({"op": "generate", "n": odd[2], "generation": wire(**{odd[0]: odd[1]})})
    ),
)


@pytest.mark.fuzz
@settings(max_examples=settings().max_examples)
@given(sent=st.lists(SENT, max_size=5))
def test_whatever_is_sent_the_engine_lives_and_answers_others(
    engine: EngineProcess, steady: Callable[[], None], sent: list[bytes]
) -> None:
    with connect(engine.socket) as peer:
        try:
            for data in sent:
                peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(65_536):
                continue
        except OSError:
            pass  # it has hung up on us already
    steady()


@pytest.fixture(scope="module")
def steady(engine: EngineProcess) -> Iterator[Callable[[], None]]:
    """Checks that the engine still is the one it was, and answers."""
    client = EngineClient(engine.socket, patience_s=30)

    def check() -> None:
        assert end_of(list(client.generate(make_generation(max_tokens=1))))
        assert client.status().pid == engine.process.pid

    yield check
    client.close()
