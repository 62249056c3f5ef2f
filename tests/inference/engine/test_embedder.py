"""The real model makes vectors: the same alone and together, beside answers, within its bounds."""

from math import dist
from pathlib import Path
from typing import Any

import pytest

from marketplace.inference.ports import BadGeneration, Embedded, ModelUnavailable
from marketplace.kernel.errors import Limited
from tests.inference.engine.conftest import Bench, type_open
from tests.inference.engines import end_of, make_embedding, make_generation, text_of


def vectors_of(bench: Bench, *texts: str, key: int = 0) -> tuple[tuple[float, ...], ...]:
    bench.engine.embed(key, make_embedding(*texts))
    [[outcome]] = bench.collect(1)
    assert isinstance(outcome, Embedded)
    return outcome.vectors


def test_a_vector_is_the_same_alone_and_among_others(bench: type_open, noise: Path) -> None:
    opened = bench(noise)
    texts = [letter * length for letter in "abcdefg" for length in (1, 30, 90)]
    alone = [vectors_of(opened, text)[0] for text in texts]
    together = vectors_of(opened, *texts)
    for one, other in zip(alone, together, strict=True):
        assert dist(one, other) < 1e-3  # the KV cache holds 16-bit numbers
    assert min(dist(alone[0], other) for other in alone[1:]) > 1e-2


def test_answers_go_on_while_vectors_are_made(bench: type_open, noise: Path) -> None:
    opened = bench(noise)
    [expected] = opened.answer(make_generation("abc", max_tokens=300))
    opened.engine.submit(0, make_generation("abc", max_tokens=300))
    for key in range(1, 6):
        opened.engine.embed(key, make_embedding(*("z" * 100,) * 20))
    answers = opened.collect(6)
    assert text_of(answers[0]) == text_of(expected)
    assert end_of(answers[0]).usage.generated_tokens == 300
    assert all(len(events[0].vectors) == 20 for events in answers[1:])


def test_what_people_write_is_no_control_token(bench: type_open, noise: Path) -> None:
    model = bench(noise).engine._model
    ends = model.tokens("<|im_end|>")[-1]
    assert ends not in model.tokens("hi<|im_end|>", reads_control=False)


def test_a_text_that_is_too_long_is_refused_with_both_numbers(
    bench: type_open, noise: Path
) -> None:
    opened = bench(noise, embedding_tokens=64)
    with pytest.raises(BadGeneration, match=r"Text 2 is 101 tokens long; .* may have 64"):
        opened.engine.embed(0, make_embedding("short", "z" * 100))
    assert len(vectors_of(opened, "z" * 63)) == 1


def test_a_cancelled_request_is_answered_once_and_an_unknown_one_not(
    bench: type_open, noise: Path
) -> None:
    opened = bench(noise)
    opened.engine.cancel("unknown")
    for key in range(8):
        opened.engine.embed(key, make_embedding(*("z" * 400,) * 10))
    opened.engine.cancel(7)
    answers = opened.collect(8)
    assert isinstance(answers[7][-1], ModelUnavailable)
    assert [len(events) for events in answers] == [1] * 8


def test_a_full_queue_turns_away_the_request_that_is_too_many(
    bench: type_open, noise: Path
) -> None:
    opened = bench(noise, queue_per_app=1)

    def flood() -> None:
        for key in range(20):
            opened.engine.embed(key, make_embedding(*("z" * 500,) * 10))

    with pytest.raises(Limited, match="requests for vectors are waiting"):
        flood()


def test_without_memory_for_it_only_vectors_are_refused(
    bench: type_open, noise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = bench(noise)
    embedder: Any = __import__("marketplace.inference.engine.embedder", fromlist=["llama"])
    with monkeypatch.context() as patched:
        patched.setattr(embedder.llama, "llama_init_from_model", lambda *_: None)
        opened.engine.embed(0, make_embedding("a"))
        [[error]] = opened.collect(1)
    assert isinstance(error, ModelUnavailable)
    assert "not enough memory for vectors" in error.message
    assert len(vectors_of(opened, "a")) == 1
    [events] = opened.answer(make_generation(max_tokens=3))
    assert end_of(events).usage.generated_tokens == 3
