"""What is sent to servers of the OpenAI dialect, and how their answers are read."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from marketplace.inference.ports import (
    BadGeneration,
    Message,
    ModelUnavailable,
    Tool,
    ToolCall,
    Usage,
)
from marketplace.inference.upstream import dialect
from marketplace.inference.upstream.dialect import Garbled, Vectors
from marketplace.inference.upstream.settings import UpstreamSettings, type_dialect
from marketplace.inference.upstream.stream import LONGEST_LINE_BYTES, events
from marketplace.inference.upstream.transcript import Transcript, transcript_of
from tests.inference.engines import make_generation

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
ADAPTER = "a" * 64


def body_of(spoken: type_dialect = "openai", **given: Any) -> dict[str, Any]:
    """A chat's body, as JSON brings it over."""
    settings = UpstreamSettings(dialect=spoken, adapters={ADAPTER: "tuned"})
    body: dict[str, Any] = json.loads(
        json.dumps(dialect.chat(make_generation(**given), settings, "llama"))
    )
    return body


def text_of(transcript: Transcript, *chunks: Any) -> str:
    """The text of chunks, taken one after the other."""
    return "".join(transcript.take(json.dumps(chunk)) for chunk in chunks)


def delta(content: str | None, **more: Any) -> dict[str, Any]:
    """A chunk with a piece of text."""
    return {"choices": [{"delta": {"content": content}}], **more}


def test_what_every_server_understands_is_said_in_its_words() -> None:
    body = body_of(
        temperature=0.5, seed=2**40 + 3, stop=("a", "b", "c", "d", "e"), json_schema=SCHEMA
    )
    assert body["messages"] == [{"role": "user", "content": "hello"}]
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("llama", 16, 0.5)
    assert body["seed"] == 3
    assert body["stop"] == ["a", "b", "c", "d"]
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert body["stream_options"] == {"include_usage": True}
    assert not {"top_k", "cache_salt", "timings_per_token"} & body.keys()


def test_each_dialect_adds_its_own() -> None:
    ours = body_of("llama-server", grammar='root ::= "a"', top_k=7)
    assert (ours["grammar"], ours["top_k"]) == ('root ::= "a"', 7)
    assert ours["timings_per_token"] is True
    vllm = body_of("vllm", grammar='root ::= "a"')
    assert vllm["structured_outputs"] == {"grammar": 'root ::= "a"'}
    assert vllm["stream_options"]["continuous_usage_stats"] is True
    with pytest.raises(BadGeneration, match="does not take grammars"):
        body_of("openai", grammar='root ::= "a"')


def test_a_servers_count_of_the_end_is_not_on_the_receipt_where_it_is_known() -> None:
    def counted(spoken: type_dialect, reason: str, **given: Any) -> int:
        settings = UpstreamSettings(dialect=spoken)
        transcript = transcript_of(make_generation(**given), settings)
        end = {"choices": [{"delta": {}, "finish_reason": reason}]}
        text_of(transcript, end, {"usage": {"prompt_tokens": 1, "completion_tokens": 5}})
        return transcript.usage().generated_tokens

    assert [counted(each, "stop") for each in ("openai", "llama-server", "vllm")] == [5, 4, 4]
    assert counted("vllm", "length") == 5
    assert counted("vllm", "stop", stop=("x",)) == 5


def test_the_salt_and_the_affinity_are_one_for_a_release_and_none_for_two() -> None:
    salts = {app: body_of("vllm", app=app)["cache_salt"] for app in ("a", "b")}
    assert salts["a"] == body_of("vllm", app="a", person="other")["cache_salt"]
    assert salts["a"] != salts["b"]
    releases = [body_of("vllm", app="a", release=name)["cache_salt"] for name in ("a@1", "a@2")]
    assert len({*releases, salts["a"]}) == 3
    settings = UpstreamSettings(api_key="secret", affinity_header="x-user")  # type: ignore[arg-type]  # pydantic makes it one
    sent = dialect.headers("a", settings)
    assert sent["Authorization"] == "Bearer secret"
    assert sent["x-user"] != dialect.headers("b", settings)["x-user"]
    assert sent["x-user"] != "a"
    assert dialect.headers("a", UpstreamSettings(affinity_header="")) == {}


def test_pictures_tools_and_calls_are_turned_into_parts() -> None:
    call = ToolCall("c1", "look_up", '{"q": 1}')
    body = body_of(
        messages=(
            Message("user", "What is this?", images=(b"\x89PNG\r\n", b"\xff\xd8jpeg")),
            Message("assistant", "", tool_calls=(call,)),
            Message("tool", "a map", tool_call_id="c1"),
        ),
        tools=(Tool("look_up", "Looks up.", SCHEMA),),
    )
    first, asked, told = body["messages"]
    assert [part["type"] for part in first["content"]] == ["image_url", "image_url", "text"]
    assert first["content"][0]["image_url"]["url"].startswith("data:image/png;base64,iVBO")
    assert first["content"][1]["image_url"]["url"].startswith("data:image/jpeg;base64,")
    assert asked["tool_calls"][0]["function"] == {"name": "look_up", "arguments": '{"q": 1}'}
    assert told["tool_call_id"] == "c1"
    assert body["tools"][0]["function"]["parameters"] == SCHEMA


def test_an_adapter_is_the_model_it_is_offered_as_and_an_unknown_one_is_refused() -> None:
    assert body_of(adapter=ADAPTER)["model"] == "tuned"
    with pytest.raises(ModelUnavailable, match="adapter of its own"):
        body_of(adapter="b" * 64)


def test_a_stream_adds_up_to_text_reason_and_the_servers_own_count() -> None:
    transcript = Transcript(prompt_guess=3)
    assert text_of(transcript, delta(None), delta("ab"), delta("c")) == "abc"
    assert transcript.usage() == Usage(3, generated_tokens=2)
    timings = {"prompt_n": 5, "predicted_n": 4, "cache_n": 2}
    text_of(transcript, delta("d", timings=timings))
    assert transcript.usage() == Usage(7, 2, 4)
    details = {"cached_tokens": 6}
    counts = {"prompt_tokens": 8, "completion_tokens": 9, "prompt_tokens_details": details}
    end = {"choices": [{"delta": {}, "finish_reason": "length"}]}
    assert text_of(transcript, end, {"choices": [], "usage": counts}) == ""
    assert (transcript.reason, transcript.usage()) == ("length", Usage(8, 6, 9))


def test_wishes_for_tools_are_put_together_from_their_fragments() -> None:
    def fragment(index: int, name: str | None, arguments: str, ident: str | None) -> Any:
        function = {"name": name, "arguments": arguments}
        call = {"index": index, "id": ident, "function": function}
        return {"choices": [{"delta": {"tool_calls": [call]}}]}

    transcript = Transcript()
    text_of(
        transcript,
        fragment(0, "first", '{"a"', "x"),
        fragment(1, "second", "", None),
        fragment(0, None, ": 1}", None),
    )
    assert list(transcript.tool_calls()) == [
        ToolCall("x", "first", '{"a": 1}'),
        ToolCall("call-1", "second", "{}"),
    ]


@pytest.mark.parametrize(
    "nonsense", ["", "nonsense", "[]", '{"choices": 7}', '{"choices": [{"delta": {"content": 7}}]}']
)
def test_what_is_no_chunk_is_garbled(nonsense: str) -> None:
    with pytest.raises(Garbled, match="cannot be understood"):
        Transcript().take(nonsense)


def test_an_error_in_the_stream_is_told_in_the_servers_words() -> None:
    with pytest.raises(ModelUnavailable, match="broke off: out of memory"):
        Transcript().take('{"error": {"message": "out of memory", "code": 500}}')


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_no_text_is_anything_but_a_chunk_or_garbled(data: str) -> None:
    try:
        Transcript().take(data)
    except ModelUnavailable:
        return
    assert isinstance(json.loads(data), dict)


def test_vectors_come_in_the_texts_order_and_of_length_one() -> None:
    data = [{"index": 1, "embedding": [0, 2.0]}, {"index": 0, "embedding": [3.0, 4]}]
    vectors: Vectors = dialect.read(Vectors, json.dumps({"data": data}))
    assert vectors.in_order(2) == ((0.6, 0.8), (0.0, 1.0))
    for count in (1, 3):
        with pytest.raises(Garbled, match="2 vectors"):
            vectors.in_order(count)


def test_the_wanted_model_is_looked_for_in_what_a_server_offers() -> None:
    listing = b'{"data": [{"id": "a", "meta": {"n_ctx_train": 512}}, {"id": "b", "x": 1}]}'
    assert dialect.offered(listing, "").context == 512
    assert dialect.offered(listing, "b").context is None
    with pytest.raises(ModelUnavailable, match="does not offer c, but a, b"):
        dialect.offered(listing, "c")
    with pytest.raises(Garbled):
        dialect.offered(b'{"data": []}', "")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ('{"error": {"message": "too long", "code": 400}}', "too long"),
        ('{"object": "error", "message": "too long"}', "too long"),
        ("  <h1>Bad Gateway</h1>\n", "<h1>Bad Gateway</h1>"),
    ],
)
def test_a_complaint_is_found_wherever_a_server_puts_it(sent: str, said: str) -> None:
    assert dialect.complaint(sent) == said


def read_events(*chunks: bytes) -> list[str]:
    """Every event's data of a stream that arrives in these chunks."""

    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def collect() -> list[str]:
        return [data async for data in events(arriving())]

    return asyncio.run(collect())


WHOLE = (
    b': hello\r\nevent: x\r\ndata: {"a": "\xc3\xa9"}\r\n\r\ndata:two\n\ndata: [DONE]\n\ndata: no\n'
)


@given(st.lists(st.integers(0, len(WHOLE)), max_size=8).map(sorted))
def test_events_are_the_same_however_the_stream_is_cut(cuts: list[int]) -> None:
    ends = [0, *cuts, len(WHOLE)]
    chunks = [WHOLE[start:end] for start, end in pairwise(ends)]
    assert read_events(*chunks) == ['{"a": "é"}', "two"]


def test_a_line_without_an_end_is_given_up() -> None:
    with pytest.raises(Garbled, match="without an end"):
        read_events(b"data: ", b"x" * LONGEST_LINE_BYTES)


def test_settings_name_a_wrong_address_and_split_several() -> None:
    settings = UpstreamSettings(url="http://a/v1/ https://b:8/v1")
    assert settings.addresses == ("http://a/v1", "https://b:8/v1")
    assert settings.embedding_addresses == settings.addresses
    assert UpstreamSettings(embedding_url="http://c/v1").embedding_addresses == ("http://c/v1",)
    for wrong in ("localhost:8000", "http://", "file:///etc/passwd"):
        with pytest.raises(ValidationError, match="no address that begins with http"):
            UpstreamSettings(url=wrong)
    with pytest.raises(ValidationError, match="belongs into api_key"):
        UpstreamSettings(url="http://user:pass@localhost")


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", None),
        ("required", "required"),
        ("look", {"type": "function", "function": {"name": "look"}}),
    ],
)
def test_a_tool_that_has_to_be_called_is_named(choice: str, sent: Any) -> None:
    body = body_of(tools=(Tool("look", "", {}),), tool_choice=choice)
    assert body.get("tool_choice") == sent
    assert [tool["function"]["name"] for tool in body["tools"]] == ["look"]
