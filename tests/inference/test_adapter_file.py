"""Adapters are held against their model, and what llama.cpp must not see is refused by a rule."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.inference import adapter_file
from marketplace.inference.adapter_file import BadAdapter, check_adapter
from marketplace.inference.gguf_file import Header, read_header
from tests.inference.tiny_adapters import RANK, usual, write_adapter
from tests.inference.tiny_models import WIDTH

NAME = "blk.0.attn_q.weight"
BF16_INFINITY = 0x7F80


@pytest.fixture(scope="module")
def model(noise: Path) -> Header:
    return read_header(noise)


def factors(wide: int = WIDTH, high: int = WIDTH, rank: int = RANK, **given: Any) -> dict[str, Any]:
    """One pair of factors, of these sizes."""
    name, kind = given.get("name", NAME), given.get("kind", np.float32)
    return {
        f"{name}.lora_a": np.full((rank, wide), given.get("number", 1), kind),
        f"{name}.lora_b": np.ones((high, given.get("other_rank", rank)), kind),
    }


def test_a_right_adapter_passes(tmp_path: Path, model: Header) -> None:
    check_adapter(write_adapter(tmp_path / "a.gguf").read_bytes(), model)
    half = {name: tensor.astype(np.float16) for name, tensor in usual().items()}
    check_adapter(write_adapter(tmp_path / "b.gguf", tensors=half).read_bytes(), model)


@pytest.mark.parametrize(
    ("wrong", "rule", "what"),
    [
        ({"type": "model"}, "adapter.kind", "does not call itself"),
        ({"kind": "control_vector"}, "adapter.kind", "does not call itself"),
        ({"alpha": "8"}, "adapter.kind", "adapter.lora.alpha"),
        ({"alpha": float("nan")}, "adapter.kind", "alpha"),
        ({"alora": [1, 2]}, "adapter.kind", "activated"),
        ({"architecture": "qwen2"}, "adapter.model", "is for qwen2 models, not llama"),
        ({"tensors": {"blk.0.attn_norm.weight": np.ones(4)}}, "adapter.kind", "no factor"),
        ({"tensors": {f"{NAME}.lora_a": np.ones((4, 64))}}, "adapter.kind", "only one"),
        ({"tensors": factors(name="blk.9.attn_q.weight")}, "adapter.model", "nothing it may"),
        ({"tensors": factors(name="token_embd.weight")}, "adapter.model", "nothing it may"),
        ({"tensors": factors(name="blk.0.attn_norm.weight")}, "adapter.model", "no matrices"),
        ({"tensors": factors(wide=32)}, "adapter.model", "factors of (32, 4)"),
        ({"tensors": factors(high=32)}, "adapter.model", "which is (64, 64)"),
        ({"tensors": factors(other_rank=5)}, "adapter.model", "(5, 64)"),
        ({"tensors": factors(rank=513)}, "adapter.kind", "rank of 513"),
        ({"tensors": factors(number=np.nan)}, "adapter.numbers", "not all finite"),
        ({"tensors": factors(number=np.inf, kind=np.float16)}, "adapter.numbers", "finite"),
        ({"tensors": factors(kind=np.int32)}, "adapter.numbers", "Store them as F16"),
    ],
)
def test_a_wrong_adapter_is_refused_by_its_rule(
    tmp_path: Path, model: Header, wrong: dict[str, Any], rule: str, what: str
) -> None:
    data = write_adapter(tmp_path / "a.gguf", **wrong).read_bytes()
    with pytest.raises(BadAdapter) as refused:
        check_adapter(data, model)
    assert refused.value.rule == rule
    assert what in refused.value.message


def test_bf16_numbers_are_checked_too(tmp_path: Path, model: Header) -> None:
    path = tmp_path / "a.gguf"
    data = bytearray(write_adapter(path, tensors=factors(kind=np.float16)).read_bytes())
    for start in _kinds_of_tensors(path):
        data[start : start + 4] = (30).to_bytes(4, "little")
    check_adapter(bytes(data), model)
    data[-2:] = BF16_INFINITY.to_bytes(2, "little")
    with pytest.raises(BadAdapter, match="not all finite"):
        check_adapter(bytes(data), model)


def _kinds_of_tensors(path: Path) -> list[int]:
    """Where the type of each tensor is written."""
    data = path.read_bytes()
    ends = [data.index(name.encode()) + len(name) for name in factors()]
    return [end + 4 + 2 * 8 for end in ends]


def test_what_is_too_large_or_no_gguf_is_refused(
    tmp_path: Path, model: Header, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_adapter(tmp_path / "a.gguf").read_bytes()
    for wrong in (b"", b"GGUF", b"PK" + data, data[: len(data) // 2], data[:-40_000]):
        with pytest.raises(BadAdapter) as refused:
            check_adapter(wrong, model)
        assert refused.value.rule == "adapter.file"
    monkeypatch.setattr(adapter_file, "LARGEST_ADAPTER_BYTES", len(data) - 1)
    with pytest.raises(BadAdapter, match=f"{len(data) - 1} are allowed") as refused:
        check_adapter(data, model)
    assert refused.value.rule == "adapter.size"


@settings(max_examples=200)
@given(at=st.integers(0, 2000), bits=st.integers(1, 255), cut=st.integers(0, 50))
def test_a_damaged_header_is_refused_or_harmless(
    model: Header, damaged: bytes, at: int, bits: int, cut: int
) -> None:
    data = bytearray(damaged)
    data[at % len(data)] ^= bits
    with suppress(BadAdapter):
        check_adapter(bytes(data[: len(data) - cut]), model)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("adapters") / "a.gguf"
    return write_adapter(path, tensors=factors(high=WIDTH)).read_bytes()
