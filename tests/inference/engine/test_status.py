"""Where a model computes and with how much memory, and what the engine says of both."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from marketplace.inference.gpus import Gpu
from marketplace.inference.ports import Device, ModelUnavailable
from tests.inference.engine.conftest import type_open
from tests.inference.engines import make_generation


def test_less_memory_than_wanted_gives_fewer_sequences(
    bench: type_open, noise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = import_module("marketplace.inference.engine.context")
    reserve = context._reserve

    def small(model: Any, places: int, *rest: int, **named: Any) -> Any:
        return reserve(model, places, *rest, **named) if places <= 2 else None

    monkeypatch.setattr(context, "_reserve", small)
    assert bench(noise, max_sequences=8).engine.status().max_sequences == 2
    monkeypatch.setattr(context, "_reserve", lambda *_, **__: None)
    with pytest.raises(ModelUnavailable, match="not enough memory for a context of 4096"):
        bench(noise)


def test_a_gpu_that_refuses_its_memory_gets_fewer_and_fewer_layers(
    bench: type_open, noise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("marketplace.inference.engine.engine")
    gpu = Device("CUDA0", "Small GPU", "gpu", 2**33, 2**33)
    devices = (*module.library.devices(), gpu)
    monkeypatch.setattr(module.library, "devices", lambda: devices)
    load, tried = module.Model, []

    def refuse_more_than_one(path: Path, *, gpu_layers: int) -> Any:
        tried.append(gpu_layers)
        if gpu_layers > 1:
            raise ModelUnavailable("out of memory")
        return load(path, gpu_layers=0)

    monkeypatch.setattr(module, "Model", refuse_more_than_one)
    status = bench(noise, gpu_layers=-1).engine.status()
    assert tried == [3, 2, 1]
    assert (status.gpu_layers, status.layers) == (1, 3)
    assert "1 of 3 layers compute on Small GPU" in (status.why_device or "")
    assert "refused memory for more" in (status.why_device or "")


def test_a_gpu_that_a_build_for_the_cpu_leaves_idle_is_said_loudly(
    bench: type_open, noise: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    module = import_module("marketplace.inference.engine.engine")
    monkeypatch.setattr(module.library, "backends", lambda: ("CPU",))
    monkeypatch.setattr(module.gpus, "in_this_machine", lambda: Gpu("NVIDIA", "cuda"))
    warning = bench(noise).engine.status().warning or ""
    assert "a GPU by NVIDIA" in warning
    assert "`make run GPU=cuda`" in warning
    assert warning in caplog.text
    assert bench(noise, gpu_layers=0).engine.status().warning is None


def test_the_status_says_where_the_model_computes(bench: type_open, noise: Path) -> None:
    opened = bench(noise, max_sequences=3, context=512, threads=1)
    opened.answer(make_generation(max_tokens=7))
    status = opened.engine.status()
    assert (status.ready, status.model, status.context) == (True, "Noise", 512)
    assert (status.max_sequences, status.threads) == (3, 1)
    assert any(device.kind == "cpu" for device in status.devices)
    assert "computes on" in (status.why_device or "")
    assert status.generated_tokens_total == 7


def test_the_status_tells_computing_apart_from_our_own_work(bench: type_open, noise: Path) -> None:
    opened = bench(noise, context=2048, threads=1)
    opened.answer(make_generation(max_tokens=300))
    status = opened.engine.status()
    # The prompt's step makes the first token, and a right guess saves one.
    assert status.steps_total == 300 - status.right_tokens_total
    assert 0 < status.compute_ms_total < status.busy_ms_total
