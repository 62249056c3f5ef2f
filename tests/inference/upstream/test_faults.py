"""The client against servers that refuse, break off or say nothing: all is told, others tried."""

import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from marketplace.inference.ports import EngineGone, ModelUnavailable, Piece
from marketplace.inference.upstream import breaker as breaker_module
from marketplace.inference.upstream.courier import GONE, UNREACHABLE
from marketplace.kernel.errors import CaravanError, Invalid, Limited, Unavailable
from tests.inference.engines import make_generation, text_of
from tests.inference.openai_server import OpenAIServer, Stream
from tests.inference.upstream.asking import (
    LETTERS,
    answering,
    nowhere,
    refusal_of,
    type_connect,
)


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
    busy = refusal_of(client, Limited)
    assert isinstance(busy, Limited)
    assert 50 < busy.retry_after_s <= 60
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
