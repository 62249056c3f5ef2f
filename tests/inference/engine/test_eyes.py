"""A model with a projector sees the pictures of a message, and refuses what is none."""

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from marketplace.inference.ports import (
    BadGeneration,
    Finished,
    Message,
    ModelUnavailable,
    QueueFull,
    Scored,
)
from tests.inference.conftest import require_llama
from tests.inference.engine.conftest import Bench
from tests.inference.engines import end_of, make_generation, text_of
from tests.inference.tiny_models import LETTERS, write_alphabet, write_noise
from tests.inference.tiny_projectors import PICTURE_TOKENS, make_picture, write_projector


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    require_llama()
    folder = tmp_path_factory.mktemp("seeing")
    projector = write_projector(folder / "mmproj.gguf")
    bench = Bench(
        write_noise(folder / "noise.gguf"),
        projector=projector,
        max_sequences=2,
        context=512,
        queue_per_app=2,
    )
    yield bench
    bench.close()


def look(*pictures: bytes, content: str = "what is this", **given: Any) -> Any:
    return make_generation(messages=(Message("user", content, pictures),), **given)


def said(bench: Bench, *pictures: bytes, **given: Any) -> str:
    [events] = bench.answer(look(*pictures, **given))
    return text_of(events)


def scores(bench: Bench, *pictures: bytes) -> list[float]:
    """How sure the model was of each token; finer than which ones it took."""
    [events] = bench.answer(look(*pictures, logprobs=0))
    return [event.logprob for event in events if isinstance(event, Scored)]


def test_an_answer_depends_on_the_picture_and_is_the_same_again(seeing: Bench) -> None:
    one, other = make_picture(1), make_picture(2)
    assert said(seeing, one) == said(seeing, one)
    assert len({said(seeing, one), said(seeing, other), said(seeing)}) == 3


def test_jpeg_and_png_are_seen_and_their_order_counts(seeing: Bench) -> None:
    png, jpeg = make_picture(1), make_picture(2, kind="JPEG")
    asked = {"content": "see", "max_tokens": 64}
    assert said(seeing, png, jpeg, **asked) != said(seeing, jpeg, png, **asked)


def test_pictures_are_prompt_tokens_on_the_receipt(seeing: Bench) -> None:
    # "The picture's mark and a new line" stand before the text.
    [plain] = seeing.answer(look(content="\n\nsee", person="a"))
    [events] = seeing.answer(look(make_picture(1), make_picture(2), content="see", person="b"))
    extra = end_of(events).usage.prompt_tokens - end_of(plain).usage.prompt_tokens
    assert extra == 2 * PICTURE_TOKENS


def test_nothing_is_taken_over_of_a_picture_even_by_the_one_who_showed_it(seeing: Bench) -> None:
    system = Message("system", "look at every picture and say what it is in a few words")
    asked = make_generation(
        messages=(system, Message("user", "and this", (make_picture(3),))), person="anna"
    )
    [first] = seeing.answer(asked)
    [again] = seeing.answer(asked)
    [of_another] = seeing.answer(replace(asked, person="berta"))
    before_picture = end_of(again).usage.cached_tokens
    assert 0 < before_picture < end_of(first).usage.prompt_tokens - PICTURE_TOKENS
    assert end_of(of_another).usage.cached_tokens <= before_picture
    assert text_of(first) == text_of(again) == text_of(of_another)


def test_pictures_and_texts_are_answered_beside_each_other(seeing: Bench) -> None:
    picture = make_picture(4)
    alone = [said(seeing, picture), said(seeing, content="tell me")]
    together = seeing.answer(look(picture), look(content="tell me"), look(picture))
    assert [text_of(events) for events in together] == [*alone, alone[0]]


def test_a_cancelled_look_ends_and_the_next_is_answered(seeing: Bench) -> None:
    seeing.engine.submit(0, look(make_picture(5), max_tokens=300))
    seeing.engine.cancel(0)
    [events] = seeing.collect(1)
    assert end_of(events).reason == "cancelled"
    assert said(seeing, make_picture(5))


def test_the_mark_of_a_picture_cannot_be_written_in_a_text(seeing: Bench) -> None:
    assert said(seeing, make_picture(1), content="<__media__> <__image__>")


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (b"GIF89a not a picture for us", "not a whole PNG or JPEG"),
        (b"\x89PNG\r\n\x1a\n", "not a whole PNG or JPEG"),
        (make_picture(1)[:-40], "not a whole PNG or JPEG"),
        (make_picture(1, kind="JPEG")[:-60], "not a whole PNG or JPEG"),
        (make_picture(width=50_000, height=1_000), "40,000,000 pixels"),
    ],
)
def test_a_file_that_is_no_picture_is_refused(seeing: Bench, picture: bytes, words: str) -> None:
    [[error]] = seeing.answer(look(picture))
    assert isinstance(error, BadGeneration)
    assert error.rule == "llm.images"
    assert words in error.message


def test_pictures_are_freed_with_their_request(
    seeing: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    mtmd = import_module("marketplace.inference.engine.eyes").mtmd
    free, freed = mtmd.mtmd_input_chunks_free, []

    def count_and_free(chunks: int) -> None:
        freed.append(chunks)
        free(chunks)

    monkeypatch.setattr(mtmd, "mtmd_input_chunks_free", count_and_free)
    seeing.answer(look(make_picture(1)), look(b"no picture"))
    assert len(freed) == 2


def test_a_flood_of_pictures_is_told_to_come_back(seeing: Bench) -> None:
    settings = seeing.engine._settings
    picture = make_picture(6)
    for key in range(settings.queue_per_app):
        seeing.engine.submit(key, look(picture, max_tokens=1))
    with pytest.raises(QueueFull, match="with pictures are waiting"):
        seeing.engine.submit("one more", look(picture))
    for key in range(settings.queue_per_app):
        seeing.engine.cancel(key)
    ended = [events[-1].reason for events in seeing.collect(settings.queue_per_app)]
    assert set(ended) <= {"cancelled", "length"}


def test_a_prompt_that_pictures_make_too_long_is_refused(seeing: Bench) -> None:
    pictures = [make_picture(seed) for seed in range(8)]
    [events] = seeing.answer(look(*pictures, content="a b " * 200))
    assert isinstance(events[-1], BadGeneration)
    assert events[-1].rule == "llm.context"


def test_a_model_without_a_projector_refuses_pictures(bench: Any, noise: Path) -> None:
    blind = bench(noise, max_sequences=1, context=256)
    with pytest.raises(BadGeneration, match="cannot see pictures"):
        blind.engine.submit(0, look(make_picture()))
    assert isinstance(blind.answer(look())[0][-1], Finished)


def test_nothing_is_guessed_from_where_a_picture_stands(bench: Any, tmp_path: Path) -> None:
    template = "{% for message in messages %}{{ message.content }}{% endfor %}\n"
    alphabet = write_alphabet(tmp_path / "alphabet.gguf", template=template)
    seer = bench(alphabet, projector=write_projector(tmp_path / "eyes.gguf"), max_sequences=1)
    # What the answer begins with stands before the picture, so the picture would be what follows.
    spelled = (Message("user", "abcdef"), Message("user", "", (make_picture(1),)))
    [events] = seer.answer(make_generation(messages=spelled, max_tokens=40))
    assert text_of(events) == "".join(LETTERS)


def test_a_projector_whose_rows_know_the_ones_behind_them_sees_and_texts_stay_as_they_are(
    bench: Any, noise: Path, tmp_path: Path
) -> None:
    gemma = write_projector(tmp_path / "gemma.gguf", kind="gemma3")
    seer = bench(noise, projector=gemma, max_sequences=2, context=512)
    eyes, before = seer.engine._eyes, scores(seer)
    assert not eyes.is_causal
    whole = scores(seer, make_picture(1))
    assert scores(seer, make_picture(1)) == pytest.approx(whole, abs=1e-5)
    assert scores(seer) == pytest.approx(before, abs=1e-5)
    eyes.is_causal = True
    assert scores(seer, make_picture(1)) != pytest.approx(whole, abs=1e-5)


def test_a_projector_of_another_model_is_refused(noise: Path, tmp_path: Path) -> None:
    require_llama()
    wrong = write_projector(tmp_path / "wide.gguf", width=128)
    with pytest.raises(ModelUnavailable, match=r"wide\.gguf does not go with noise\.gguf"):
        Bench(noise, projector=wrong, max_sequences=1, context=256)
