"""What every `Inference` promises: the fake, our engine, and servers of the OpenAI dialect."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import dist, hypot
from pathlib import Path
from threading import Thread

import pytest

from benchmarks.support import peer
from marketplace.inference.client import EngineClient
from marketplace.inference.fake import FakeInference
from marketplace.inference.ports import Finished, Inference, Message, Piece, Scored, Tool
from marketplace.inference.upstream.client import Upstream
from marketplace.inference.upstream.settings import UpstreamSettings
from marketplace.inference.upstream.turnstile import Bounds
from marketplace.kernel.errors import Invalid, Unavailable
from tests.inference.conftest import require_llama
from tests.inference.engines import (
    end_of,
    make_embedding,
    make_generation,
    start_engine,
    text_of,
)
from tests.inference.openai_server import OpenAIServer
from tests.inference.tiny_models import LETTERS, write_alphabet

ALPHABET = "".join(LETTERS)
BOUNDS = Bounds(in_flight=4, queue_per_app=32, queue_total=64)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineClient]:
    """An engine process with a model that recites the alphabet."""
    require_llama()
    folder = tmp_path_factory.mktemp("contract")
    model = write_alphabet(folder / "alphabet.gguf")
    engine = start_engine(folder / "engine.sock", "--model", model)
    client = EngineClient(engine.socket, patience_s=20)
    yield client
    client.close()
    assert engine.stop() == 0


@pytest.fixture(scope="module")
def openai() -> Iterator[Upstream]:
    """A server of the test's own that knows nothing but the dialect."""
    server = OpenAIServer(LETTERS)
    upstream = Upstream(UpstreamSettings(url=server.url), BOUNDS)
    yield upstream
    upstream.close()
    server.close()


@pytest.fixture(scope="module")
def llama_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    """llama.cpp's own server: one process that chats, and one that makes vectors."""
    if peer.built() is None:
        pytest.skip("llama-server was not built: python benchmarks/support/peer.py")
    model = write_alphabet(tmp_path_factory.mktemp("llama-server") / "alphabet.gguf")
    chats = peer.run(model, context=1024, sequences=4, threads=1)
    vectors = peer.run(
        model, "--embeddings", "--pooling", "mean", context=1024, sequences=4, threads=1
    )
    settings = UpstreamSettings(
        url=f"http://127.0.0.1:{chats.port}/v1",
        embedding_url=f"http://127.0.0.1:{vectors.port}/v1",
        dialect="llama-server",
    )
    upstream = Upstream(settings, BOUNDS)
    yield upstream
    upstream.close()
    chats.stop()
    vectors.stop()


@pytest.fixture(params=["fake", "real", "openai", "llama_server"])
def inference(request: pytest.FixtureRequest) -> Inference:
    """Each implementation in turn, all answering with the alphabet."""
    if request.param == "fake":
        return FakeInference(LETTERS)
    implementation: Inference = request.getfixturevalue(request.param)
    return implementation


@pytest.fixture(params=["fake", "real", "openai"])
def without_model(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[], Inference]]:
    """Each implementation in turn, without a model it could load or reach."""
    if request.param == "fake":
        yield lambda: FakeInference(why_not="The model file is missing.")
        return
    if request.param == "openai":
        server = OpenAIServer(LETTERS)
        server.close()
        upstream = Upstream(UpstreamSettings(url=server.url), BOUNDS)
        yield lambda: upstream
        upstream.close()
        return
    engine = start_engine(tmp_path / "engine.sock", "--model", tmp_path / "missing.gguf")
    client = EngineClient(engine.socket)
    yield lambda: client
    client.close()
    assert engine.stop() == 0


def test_an_answer_is_pieces_and_then_its_end(inference: Inference) -> None:
    events = list(inference.generate(make_generation(max_tokens=100)))
    assert text_of(events) == ALPHABET
    assert all(isinstance(event, Piece) for event in events[:-1])
    assert end_of(events).reason == "stop"
    assert end_of(events).model == inference.status().model


def test_the_receipt_counts_the_tokens_of_prompt_and_answer(inference: Inference) -> None:
    usage = end_of(list(inference.generate(make_generation(max_tokens=100)))).usage
    assert usage.generated_tokens == 26
    assert 0 <= usage.cached_tokens < usage.prompt_tokens
    assert min(usage.queue_ms, usage.prefill_ms, usage.decode_ms) >= 0


def test_an_answer_ends_at_its_most_tokens(inference: Inference) -> None:
    events = list(inference.generate(make_generation(max_tokens=3)))
    assert text_of(events) == "abc"
    assert end_of(events).reason == "length"
    assert end_of(events).usage.generated_tokens == 3


def test_a_stop_text_ends_the_answer_and_is_not_part_of_it(inference: Inference) -> None:
    events = list(inference.generate(make_generation(max_tokens=100, stop=("ghi", "xy"))))
    assert text_of(events) == "abcdef"
    assert end_of(events).reason == "stop"


def test_a_cancelled_answer_ends_with_its_receipt(inference: Inference) -> None:
    stream = inference.generate(make_generation(max_tokens=100, request_id="mine"))
    first = next(stream)
    assert isinstance(first, Piece)
    canceller = Thread(target=inference.cancel, args=("mine",))
    canceller.start()
    canceller.join()
    reason = end_of([first, *stream]).reason
    # The real engine may have finished the 26 letters before it hears of it.
    assert reason in {"cancelled", "stop"}


def test_cancelling_what_nobody_asked_for_does_nothing(inference: Inference) -> None:
    inference.cancel("unknown")
    assert text_of(list(inference.generate(make_generation(max_tokens=2)))) == "ab"


def test_an_answer_nobody_reads_on_is_dropped(inference: Inference) -> None:
    stream = inference.generate(make_generation(max_tokens=100))
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # every implementation is a generator
    assert text_of(list(inference.generate(make_generation(max_tokens=2)))) == "ab"


def test_many_threads_get_each_their_own_answer(inference: Inference) -> None:
    answers: dict[int, str] = {}

    def ask(length: int) -> None:
        events = list(
            inference.generate(make_generation(max_tokens=length, request_id=str(length)))
        )
        assert isinstance(events[-1], Finished)
        answers[length] = text_of(events)

    threads = [Thread(target=ask, args=(length,)) for length in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {length: ALPHABET[:length] for length in range(1, 17)}


def test_each_tokens_probability_is_told_to_whoever_asks(inference: Inference) -> None:
    events = list(inference.generate(make_generation(max_tokens=3, logprobs=2)))
    scores = [event for event in events if isinstance(event, Scored)]
    assert [score.token for score in scores] == ["a", "b", "c"]
    for score in scores:
        assert score.logprob <= 0
        assert len(score.likeliest) <= 2
        assert score.likeliest[0] == (score.token, pytest.approx(score.logprob, abs=1e-4))
    assert text_of(events) == "abc"
    assert isinstance(events[0], Scored)  # before the text it is part of


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"logprobs": 21}, "logprobs"),
        ({"logprobs": -1}, "logprobs"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_k": 0}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"messages": ()}, "messages"),
        ({"stop": ("",)}, "stop"),
        ({"app": ""}, "app"),
        ({"adapter": "../../etc"}, "adapter"),
        ({"tools": (Tool("no spaces", "", {}),)}, "tools.0.name"),
        ({"tool_choice": ""}, "tool_choice"),
        ({"messages": (Message("user", "look", images=(b"",)),)}, "messages.0.images.0"),
    ],
)
def test_a_request_out_of_bounds_is_refused_by_the_fields_name(
    inference: Inference, wrong: dict[str, object], field: str
) -> None:
    generation = replace(make_generation(), **wrong)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(Invalid, match=f"wrong at `{field}"):
        next(inference.generate(generation))


def test_a_text_becomes_a_vector_of_length_one_the_same_each_time(inference: Inference) -> None:
    first = inference.embed(make_embedding("abc", "xyz", "abc"))
    assert len(first.vectors) == 3
    assert [hypot(*vector) for vector in first.vectors] == pytest.approx([1, 1, 1], abs=1e-5)
    assert dist(first.vectors[0], first.vectors[2]) < 1e-5 < dist(*first.vectors[:2])
    assert first.usage.prompt_tokens >= 3
    assert first.usage.generated_tokens == 0
    assert first.model
    again = inference.embed(make_embedding("abc"))
    assert again.vectors[0] == pytest.approx(first.vectors[0], abs=1e-5)


def test_vectors_are_made_while_an_answer_is_being_written(inference: Inference) -> None:
    stream = inference.generate(make_generation(max_tokens=100))
    first = next(stream)
    assert inference.embed(make_embedding()).vectors
    assert text_of([first, *stream]) == ALPHABET


@pytest.mark.parametrize(
    ("texts", "field"), [((), "texts"), (("a", ""), "texts.1"), (("a",) * 200, "texts")]
)
def test_texts_that_cannot_become_vectors_are_refused(
    inference: Inference, texts: tuple[str, ...], field: str
) -> None:
    with pytest.raises(Invalid, match=f"wrong at `{field}"):
        inference.embed(replace(make_embedding(), texts=texts))


def test_to_forget_a_release_disturbs_nobody(inference: Inference) -> None:
    stream = inference.generate(make_generation(max_tokens=100, release="app@1"))
    first = next(stream)
    inference.forget("app@1")
    inference.forget("never heard of")
    assert text_of([first, *stream]) == ALPHABET


def test_the_status_of_a_ready_engine_names_its_model(inference: Inference) -> None:
    list(inference.generate(make_generation()))  # waits until the model is loaded
    status = inference.status()
    assert status.ready
    assert status.why_not is None
    assert status.model
    assert status.context
    assert status.generated_tokens_total > 0


def test_without_a_model_every_answer_is_the_reason(
    without_model: Callable[[], Inference],
) -> None:
    inference = without_model()
    status = inference.status()
    assert not status.ready
    assert status.why_not
    with pytest.raises(Unavailable) as refused:
        next(inference.generate(make_generation()))
    assert refused.value.message == status.why_not
    with pytest.raises(Unavailable) as refused:
        inference.embed(make_embedding())
    assert refused.value.message == status.why_not
