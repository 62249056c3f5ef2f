"""Adapters in the real engine: each answer with its own, beside answers without one."""

from importlib import import_module
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from marketplace.inference.adapter_file import BadAdapter
from marketplace.inference.ports import BadGeneration
from marketplace.infra.blobs import Blobs
from marketplace.kernel.errors import Limited
from tests.inference.engine.conftest import Bench, type_open
from tests.inference.engines import end_of, make_generation, text_of
from tests.inference.tiny_adapters import usual, write_adapter


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def kept(blobs: Blobs, tmp_path: Path, seed: int = 3, **given: Any) -> str:
    """The key of a random adapter among the blobs."""
    return blobs.put(write_adapter(tmp_path / "adapter.gguf", seed=seed, **given).read_bytes())


def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


def answers(bench: Bench, *adapters: str | None) -> list[str]:
    wanted = [make_generation("abc", adapter=adapter, max_tokens=20) for adapter in adapters]
    return [text_of(events) for events in bench.answer(*wanted)]


def test_an_adapter_changes_the_answer_and_one_of_zeros_does_not(
    bench: type_open, noise: Path, tmp_path: Path, blobs: Blobs
) -> None:
    opened = bench(noise, folder(tmp_path))
    strong, none = kept(blobs, tmp_path), kept(blobs, tmp_path, scale=0.0)
    [plain] = answers(opened, None)
    assert answers(opened, strong) != [plain]
    assert answers(opened, none) == [plain]


def test_answers_with_and_without_adapters_are_the_same_alone_and_together(
    bench: type_open, noise: Path, tmp_path: Path, blobs: Blobs
) -> None:
    opened = bench(noise, folder(tmp_path))
    one, two = kept(blobs, tmp_path, seed=1), kept(blobs, tmp_path, seed=2)
    order = (one, None, two, one, None, two)
    alone = [answers(opened, adapter)[0] for adapter in order]
    assert len(set(alone)) == 3
    assert answers(opened, *order) == alone
    # The cache knows with which adapter a prompt was read.
    assert [answers(opened, adapter)[0] for adapter in reversed(order)] == alone[::-1]


def test_the_adapter_used_longest_ago_makes_room(
    bench: type_open, noise: Path, tmp_path: Path, blobs: Blobs
) -> None:
    opened = bench(noise, folder(tmp_path), adapters=2)
    keys = [kept(blobs, tmp_path, seed=seed) for seed in range(5)]
    first = [answers(opened, key)[0] for key in keys]
    assert len(opened.engine._adapters._loaded) == 2
    assert [answers(opened, key)[0] for key in keys] == first


def test_more_adapters_at_once_than_may_be_loaded_are_turned_away(
    bench: type_open, noise: Path, tmp_path: Path, blobs: Blobs
) -> None:
    opened = bench(noise, folder(tmp_path), adapters=1)
    one, two = kept(blobs, tmp_path, seed=1), kept(blobs, tmp_path, seed=2)
    opened.engine.submit(0, make_generation(adapter=one, max_tokens=2000))
    with pytest.raises(Limited, match="with adapters of their own"):
        opened.engine.submit(1, make_generation(adapter=two))
    opened.engine.cancel(0)
    opened.collect(1)
    answers(opened, None)  # so that the context looks at none
    assert answers(opened, two)


def test_an_adapter_that_is_missing_or_wrong_is_refused_before_anything_runs(
    bench: type_open, noise: Path, tmp_path: Path, blobs: Blobs
) -> None:
    opened = bench(noise, folder(tmp_path))
    wrong = kept(blobs, tmp_path, architecture="qwen2")
    with pytest.raises(BadAdapter, match="is for qwen2 models"):
        opened.engine.submit(0, make_generation(adapter=wrong))
    with pytest.raises(BadGeneration, match="There is no adapter abababab"):
        opened.engine.submit(0, make_generation(adapter="ab" * 32))
    with pytest.raises(BadGeneration, match="There is no adapter"):
        bench(noise).engine.submit(0, make_generation(adapter=wrong))
    assert answers(opened, None)


def test_an_adapter_whose_numbers_overflow_ends_only_its_own_answers(
    bench: type_open, noise: Path, tmp_path: Path, blobs: Blobs
) -> None:
    opened = bench(noise, folder(tmp_path))
    huge = kept(blobs, tmp_path, tensors={n: t * 0 + 3e38 for n, t in usual().items()})
    for temperature in (0.0, 1.0):
        opened.engine.submit(0, make_generation(adapter=huge, temperature=temperature))
        opened.engine.submit(1, make_generation(max_tokens=30))
        refused, other = opened.collect(2)
        assert isinstance(refused[-1], BadGeneration)
        assert "too large to compute with" in refused[-1].message
        assert end_of(other).usage.generated_tokens == 30


def test_an_adapter_llama_cpp_refuses_is_refused(
    bench: type_open, noise: Path, tmp_path: Path, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = bench(noise, folder(tmp_path))
    adapters = import_module("marketplace.inference.engine.adapters")
    monkeypatch.setattr(adapters.llama, "llama_adapter_lora_init", lambda *_: None)
    with pytest.raises(BadGeneration, match="cannot be loaded"):
        opened.engine.submit(0, make_generation(adapter=kept(blobs, tmp_path)))


def test_an_answer_ends_while_another_apps_adapter_is_being_loaded(
    bench: type_open,
    noise: Path,
    tmp_path: Path,
    blobs: Blobs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = bench(noise, folder(tmp_path))
    ready, coming = kept(blobs, tmp_path, seed=1), kept(blobs, tmp_path, seed=2)
    [expected] = answers(opened, ready)
    module = import_module("marketplace.inference.engine.adapters")
    load, entered, leave = module.Adapters._load, Event(), Event()

    def held(adapters: Any, key: str) -> Any:
        entered.set()
        assert leave.wait(30)
        return load(adapters, key)

    monkeypatch.setattr(module.Adapters, "_load", held)
    opened.engine.submit("before", make_generation("abc", adapter=ready, max_tokens=20))
    asking = Thread(
        target=opened.engine.submit, args=("after", make_generation("abc", adapter=coming))
    )
    asking.start()
    assert entered.wait(30)
    assert text_of(opened.answer_to("before")) == expected
    leave.set()
    asking.join(30)
    assert end_of(opened.answer_to("after")).reason in {"stop", "length"}
