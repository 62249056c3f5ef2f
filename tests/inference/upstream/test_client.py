"""The client against servers that misbehave: nothing hangs, all is told, others are tried."""

import os
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from threading import Thread
from typing import Any

import pytest

from marketplace.inference.ports import (
    EngineGone,
    Finished,
    ModelUnavailable,
    Piece,
    Queued,
    ToolCall,
    Usage,
)
from marketplace.inference.upstream import breaker as breaker_module
from marketplace.inference.upstream.client import Upstream
from marketplace.inference.upstream.courier import GONE, UNREACHABLE
from marketplace.inference.upstream.settings import UpstreamSettings
from marketplace.inference.upstream.turnstile import Bounds
from marketplace.kernel.errors import CaravanError, Invalid, Limited, Unavailable
from tests.inference.engines import end_of, make_embedding, make_generation, text_of
from tests.inference.openai_server import OpenAIServer, Stream, answer_json

type_connect = Callable[..., Upstream]
LETTERS = "abcdefgh"


@pytest.fixture
def serve() -> Iterator[Callable[..., OpenAIServer]]:
    """Opens servers and closes them with the test."""
    opened: list[OpenAIServer] = []

    def serve_one(pieces: str = LETTERS, port: int = 0) -> OpenAIServer:
        opened.append(OpenAIServer(pieces, port))
        return opened[-1]

    yield serve_one
    for server in opened:
        server.close()


@pytest.fixture
def server(serve: Callable[..., OpenAIServer]) -> OpenAIServer:
    """One server that answers with eight letters."""
    return serve()


@pytest.fixture
def connect() -> Iterator[type_connect]:
    """Makes clients of servers and closes them with the test."""
    made: list[Upstream] = []

    def connect_to(
        *servers: OpenAIServer | str, bounds: Bounds | None = None, **given: Any
    ) -> Upstream:
        urls = [each if isinstance(each, str) else each.url for each in servers]
        settings = UpstreamSettings(url=" ".join(urls), **given)
        made.append(Upstream(settings, bounds or Bounds(8, 8, 16)))
        return made[-1]

    yield connect_to
    for client in made:
        client.close()


def nowhere() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


def answering(status: int, body: Any = b"", **headers: str) -> Any:
    """Answers every chat with this."""
    return lambda handler, _body: answer_json(handler, body, status, **headers)


def refusal_of(client: Upstream, family: type[CaravanError]) -> CaravanError:
    """The error a request ends with."""
    with pytest.raises(family) as refused:
        list(client.generate(make_generation()))
    return refused.value


def test_an_answer_has_the_servers_count_and_our_times(
    server: OpenAIServer, connect: type_connect
) -> None:
    client = connect(server)
    events = list(client.generate(make_generation()))
    assert text_of(events) == LETTERS
    end = end_of(events)
    assert (end.usage.prompt_tokens, end.usage.generated_tokens) == (9, 8)
    assert end.model == "letters"
    status = client.status()
    assert (status.prompt_tokens_total, status.generated_tokens_total) == (9, 8)
    assert (status.context, status.max_sequences) == (4096, 8)
    assert "1 of 1 answer: http://127.0.0.1" in (status.why_device or "")


@pytest.mark.parametrize(
    ("status", "headers", "family", "sentence"),
    [
        (429, {"Retry_After": "7"}, Limited, r"busy\. Try again in 7 s"),
        (503, {}, Limited, r"busy\. Try again in 1 s"),
        (400, {}, Invalid, "refuses this request: the context is too long"),
        (401, {}, ModelUnavailable, "CARAVAN_INFERENCE__UPSTREAM__API_KEY"),
        (404, {}, ModelUnavailable, "CARAVAN_INFERENCE__UPSTREAM__URL"),
        (501, {}, ModelUnavailable, "cannot do this: the context is too long"),
        (500, {}, ModelUnavailable, "failed with status 500"),
        (302, {"Location": "http://example.org"}, ModelUnavailable, "failed with status 302"),
    ],
)
def test_each_refusal_is_an_error_of_its_own(
    server: OpenAIServer,
    connect: type_connect,
    status: int,
    headers: dict[str, str],
    family: type[CaravanError],
    sentence: str,
) -> None:
    complaint = {"error": {"message": "the context is too long"}}
    server.behave = answering(status, complaint, **headers)
    with pytest.raises(family, match=sentence):
        list(connect(server).generate(make_generation()))


def test_a_server_that_is_busy_is_left_alone_for_as_long_as_it_says(
    server: OpenAIServer, connect: type_connect
) -> None:
    server.behave = answering(429, Retry_After="60")
    client = connect(server)
    assert isinstance(refusal_of(client, Limited), Limited)
    assert refusal_of(client, Unavailable).message == UNREACHABLE
    assert len(server.chats) == 1


def test_a_server_that_cannot_be_reached_is_said_so_and_spared(connect: type_connect) -> None:
    client = connect(nowhere(), model="letters")
    assert refusal_of(client, ModelUnavailable).message == UNREACHABLE
    status = client.status()
    assert (status.ready, status.why_not) == (False, UNREACHABLE)
    assert "0 of 1 answer" in (status.why_device or "")


def test_a_server_is_found_again_when_it_is_back(
    serve: Callable[..., OpenAIServer], connect: type_connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = serve()
    client = connect(first, model="letters")
    assert text_of(list(client.generate(make_generation()))) == LETTERS
    first.close()
    monkeypatch.setattr(breaker_module, "FIRST_REST_S", 0.0)
    refusal_of(client, Unavailable)
    serve("xyz", first.port)
    assert text_of(list(client.generate(make_generation()))) == "xyz"


def test_another_server_takes_what_the_first_cannot(
    serve: Callable[..., OpenAIServer], connect: type_connect
) -> None:
    busy, broken, good = serve(), serve(), serve("xyz")
    busy.behave, broken.behave = answering(503), answering(500)
    client = connect(busy, broken, nowhere(), good, model="letters")
    for app in map(str, range(12)):
        assert text_of(list(client.generate(make_generation(app=app)))) == "xyz"
    assert len(busy.chats) <= 1
    assert len(broken.chats) <= breaker_module.FAILURES


def break_off(stream: Stream) -> None:
    stream.text("abc")


def end_early(stream: Stream) -> None:
    stream.text("abc")
    stream.done()


def talk_nonsense(stream: Stream) -> None:
    stream.text("abc")
    stream.send("nonsense")


def complain(stream: Stream) -> None:
    stream.text("abc")
    stream.send({"error": {"message": "out of memory"}})


@pytest.mark.parametrize(
    ("misbehave", "family", "sentence"),
    [
        (break_off, EngineGone, GONE),
        (end_early, EngineGone, GONE),
        (talk_nonsense, ModelUnavailable, "cannot be understood"),
        (complain, ModelUnavailable, "broke off: out of memory"),
    ],
)
def test_an_answer_that_breaks_off_keeps_what_came_and_says_why(
    server: OpenAIServer,
    connect: type_connect,
    misbehave: Callable[[Stream], None],
    family: type[CaravanError],
    sentence: str,
) -> None:
    def behave(handler: BaseHTTPRequestHandler, _body: Any) -> None:
        misbehave(Stream(handler))
        handler.close_connection = True

    server.behave = behave
    stream = connect(server).generate(make_generation())
    assert next(stream) == Piece("abc")
    with pytest.raises(family, match=sentence):
        next(stream)


def test_a_server_that_breaks_off_every_answer_is_spared(
    server: OpenAIServer, connect: type_connect
) -> None:
    def behave(handler: BaseHTTPRequestHandler, _body: Any) -> None:
        Stream(handler).text("abc")
        handler.close_connection = True

    server.behave = behave
    client = connect(server)
    for _ in range(breaker_module.FAILURES):
        assert refusal_of(client, EngineGone).message == GONE
    assert refusal_of(client, Unavailable).message == UNREACHABLE
    assert len(server.chats) == breaker_module.FAILURES


def test_what_a_server_refuses_says_nothing_against_it(
    server: OpenAIServer, connect: type_connect
) -> None:
    server.behave = answering(400, {"message": "too long"})
    client = connect(server)
    for _ in range(2 * breaker_module.FAILURES):
        assert "too long" in refusal_of(client, Invalid).message


def test_a_kept_connection_that_the_server_closes_is_replaced(
    server: OpenAIServer, connect: type_connect
) -> None:
    client = connect(server)
    assert text_of(list(client.generate(make_generation()))) == LETTERS
    drops = iter([True])

    def behave(handler: BaseHTTPRequestHandler, body: Any) -> None:
        if next(drops, False):
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
        else:
            server.chat(handler, body)

    server.behave = behave
    assert text_of(list(client.generate(make_generation()))) == LETTERS
    assert len(server.chats) == 3


def test_a_page_in_the_place_of_a_stream_is_an_answer_broken_off(
    server: OpenAIServer, connect: type_connect
) -> None:
    server.behave = answering(200, b"<html>Welcome</html>\n")
    assert refusal_of(connect(server), EngineGone).message == GONE


def test_a_server_that_says_nothing_is_given_up(
    server: OpenAIServer, connect: type_connect
) -> None:
    server.gate.clear()
    assert refusal_of(connect(server, silence_s=1), EngineGone).message == GONE
    assert server.hung_up.wait(10)


@pytest.mark.parametrize("dialect", ["openai", "llama-server"])
def test_a_stopped_answer_hangs_up_and_costs_what_was_made(
    server: OpenAIServer, connect: type_connect, dialect: str
) -> None:
    client = connect(server, dialect=dialect)

    def behave(handler: BaseHTTPRequestHandler, body: Any) -> None:
        timings = {"timings": {"prompt_n": 5, "predicted_n": 3}}
        Stream(handler).text("abc", **(timings if body.get("timings_per_token") else {}))
        server.hold(handler)

    server.behave = behave
    server.gate.clear()
    stream = client.generate(make_generation(request_id="mine"))
    events = [next(stream)]
    client.cancel("mine")
    end = end_of([*events, *stream])
    assert end.reason == "cancelled"
    counted = (5, 3) if dialect == "llama-server" else (1, 1)  # a guess and the pieces
    assert (end.usage.prompt_tokens, end.usage.generated_tokens) == counted
    assert server.hung_up.wait(10)


def test_an_answer_nobody_reads_on_hangs_up(server: OpenAIServer, connect: type_connect) -> None:
    def behave(handler: BaseHTTPRequestHandler, _body: Any) -> None:
        Stream(handler).text("abc")
        server.hold(handler)

    server.behave = behave
    server.gate.clear()
    stream = connect(server).generate(make_generation())
    assert next(stream) == Piece("abc")
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    assert server.hung_up.wait(10)


def test_a_stop_text_beyond_what_servers_take_ends_the_answer_here(
    server: OpenAIServer, connect: type_connect
) -> None:
    server.pieces = LETTERS * 100
    stop = ("u", "v", "w", "x", "ef")
    events = list(connect(server).generate(make_generation(max_tokens=500, stop=stop)))
    assert text_of(events) == "abcd"
    assert end_of(events).reason == "stop"


def test_no_more_than_the_bound_are_with_the_servers_and_the_others_know_their_place(
    server: OpenAIServer, connect: type_connect
) -> None:
    client = connect(server, bounds=Bounds(2, 2, 16))
    server.gate.clear()
    answers: list[list[Any]] = []
    threads = [
        Thread(target=lambda: answers.append(list(client.generate(make_generation()))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    while client.status().waiting < 2 or server.most_open < 2:
        continue
    assert "2 requests of this app are waiting" in refusal_of(client, Limited).message
    server.gate.set()
    for thread in threads:
        thread.join()
    assert [text_of(events) for events in answers] == [LETTERS] * 4
    assert sum(isinstance(events[0], Queued) for events in answers) == 2
    assert server.most_open == 2


def test_a_request_that_waits_can_be_stopped(server: OpenAIServer, connect: type_connect) -> None:
    client = connect(server, bounds=Bounds(1, 2, 16))
    server.gate.clear()
    running = client.generate(make_generation(request_id="running"))
    reader = Thread(target=lambda: list(running))
    reader.start()
    while client.status().active < 1:
        continue
    waiting = client.generate(make_generation(request_id="waiting"))
    assert next(waiting) == Queued(0)
    client.cancel("waiting")
    [end] = waiting
    assert isinstance(end, Finished)
    assert (end.reason, end.usage.generated_tokens) == ("cancelled", 0)
    server.gate.set()
    reader.join()
    assert client.status().waiting == 0


def test_calls_of_tools_come_before_the_end(server: OpenAIServer, connect: type_connect) -> None:
    def behave(handler: BaseHTTPRequestHandler, _body: Any) -> None:
        stream = Stream(handler)
        call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
        stream.send({"choices": [{"delta": {"tool_calls": [call]}}]})
        stream.finish("tool_calls")
        stream.done()

    server.behave = behave
    called, end = connect(server).generate(make_generation())
    assert called == ToolCall("c", "f", "{}")
    assert isinstance(end, Finished)


def test_vectors_may_come_from_another_server(
    serve: Callable[..., OpenAIServer], connect: type_connect
) -> None:
    chats, vectors = serve(), serve()
    client = connect(chats, embedding_url=vectors.url, embedding_model="vectors")
    embedded = client.embed(make_embedding("abc", "xyz"))
    assert (embedded.model, len(embedded.vectors)) == ("vectors", 2)
    assert embedded.usage.prompt_tokens == 6
    [(path, _, body)] = vectors.asked
    assert (path, body["model"]) == ("/v1/embeddings", "vectors")


def test_the_key_and_the_apps_affinity_go_with_every_request(
    server: OpenAIServer, connect: type_connect
) -> None:
    client = connect(server, api_key="secret", affinity_header="x-session-id")
    for app in ("one", "two", "one"):
        list(client.generate(make_generation(app=app)))
    sent = [headers for path, headers, _ in server.asked if path.endswith("completions")]
    assert {headers["Authorization"] for headers in sent} == {"Bearer secret"}
    first, second, third = (headers["x-session-id"] for headers in sent)
    assert first == third != second


def test_a_model_the_server_does_not_offer_is_named_with_what_it_offers(
    server: OpenAIServer, connect: type_connect
) -> None:
    status = connect(server, model="other").status()
    assert not status.ready
    assert "does not offer other, but letters" in (status.why_not or "")


def test_a_closed_client_ends_its_answers_and_opens_anew(
    server: OpenAIServer, connect: type_connect
) -> None:
    client = connect(server)
    server.gate.clear()
    answer: list[Any] = []
    reader = Thread(target=lambda: answer.extend(client.generate(make_generation())))
    reader.start()
    while client.status().active < 1:
        continue
    client.close()
    reader.join()
    assert end_of(answer).reason == "cancelled"
    server.gate.set()
    assert text_of(list(client.generate(make_generation()))) == LETTERS


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_a_loop_of_its_own(server: OpenAIServer, connect: type_connect) -> None:
    client = connect(server)
    assert text_of(list(client.generate(make_generation()))) == LETTERS
    child = os.fork()
    if child == 0:
        said = text_of(list(client.generate(make_generation())))
        os._exit(0 if said == LETTERS else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_bug_of_ours_costs_one_request(
    server: OpenAIServer, connect: type_connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trip(_self: Any) -> Usage:
        raise ZeroDivisionError

    client = connect(server)
    with monkeypatch.context() as patched:
        patched.setattr("marketplace.inference.upstream.dialect.Transcript.usage", trip)
        assert refusal_of(client, EngineGone).message == GONE
    assert text_of(list(client.generate(make_generation()))) == LETTERS
