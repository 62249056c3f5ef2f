"""The client of other servers: counts, stops, queues and what goes with a request."""

import os
from collections.abc import Callable
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
    Wants,
)
from marketplace.inference.upstream.courier import GONE
from marketplace.inference.upstream.turnstile import Bounds
from marketplace.kernel.errors import Limited
from tests.inference.engines import end_of, make_embedding, make_generation, text_of
from tests.inference.openai_server import OpenAIServer, Stream
from tests.inference.upstream.asking import LETTERS, refusal_of, type_connect


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


def test_each_app_is_answered_by_the_model_it_needs(
    server: OpenAIServer, connect: type_connect
) -> None:
    client = connect(server, models={"vision": "seer", "small": "quick"})
    wanted = [Wants(), Wants(small=True), Wants(vision=True), Wants(context=4096)]
    ends = [end_of(list(client.generate(make_generation(wants=each)))) for each in wanted]
    expected = ["letters", "quick", "seer", "letters"]
    assert [chat["model"] for chat in server.chats] == expected
    assert [end.model for end in ends] == expected
    assert end_of(list(client.generate(make_generation(model="quick")))).model == "quick"
    found = {model.name: model.roles for model in client.status().models}
    assert found == {"letters": ("default",), "seer": ("vision",), "quick": ("small",)}


def test_what_no_model_there_can_do_is_said_before_it_is_asked(
    server: OpenAIServer, connect: type_connect
) -> None:
    client = connect(server)
    blind = refusal_of(client, ModelUnavailable, wants=Wants(vision=True))
    assert "needs a model that sees pictures" in blind.message
    short = refusal_of(client, ModelUnavailable, wants=Wants(context=5000))
    assert "the largest of this store holds 4096" in short.message
    assert server.chats == []


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
    [role] = [model.roles for model in client.status().models if model.name == "vectors"]
    assert role == ("embed",)


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
        patched.setattr("marketplace.inference.upstream.transcript.Transcript.usage", trip)
        assert refusal_of(client, EngineGone).message == GONE
    assert text_of(list(client.generate(make_generation()))) == LETTERS
