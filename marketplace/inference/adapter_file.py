"""What a LoRA adapter must be before llama.cpp may see it. Pure.

llama.cpp ends the process on some broken files and takes others that make no numbers, so every
key, shape and number that it reads is checked here first, against the model it is for.
"""

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType

from marketplace.inference.gguf_file import MAGIC, Header, NotAModel, Tensor, header_of, read_header
from marketplace.kernel.errors import Invalid

LARGEST_ADAPTER_BYTES = 64 * 2**20
LARGEST_RANK = 512
MATRIX_DIMENSIONS = 2
STRING, FLOAT32, UINT32 = 8, 6, 4
EMBEDDING = "token_embd.weight"
NEEDED_KINDS = {
    "general.type": STRING,
    "general.architecture": STRING,
    "adapter.type": STRING,
    "adapter.lora.alpha": FLOAT32,
}
FLOAT_KINDS: dict[int, np.dtype[Any]] = {
    GGMLQuantizationType.F32: np.dtype("<f4"),
    GGMLQuantizationType.F16: np.dtype("<f2"),
    GGMLQuantizationType.BF16: np.dtype("<u2"),
}
BF16_EXPONENT = 0x7F80  # all bits of it set: no finite number


class BadAdapter(Invalid):
    """A file is no adapter that could be used; `rule` says in which respect."""


def check_file(data: bytes, model: Path) -> None:
    """Hold an adapter's bytes against a model's file. Raises: BadAdapter, NotAModel."""
    check_adapter(data, read_header(model))


def check_adapter(data: bytes, model: Header) -> None:
    """Hold an adapter's bytes against the model it is for.

    Raises: BadAdapter with one of the rules adapter.size, adapter.file, adapter.kind,
        adapter.model and adapter.numbers.
    """
    if len(data) > LARGEST_ADAPTER_BYTES:
        raise BadAdapter(
            f"The adapter has {len(data)} bytes; {LARGEST_ADAPTER_BYTES} are allowed. "
            "Train it with a smaller rank, or store it in 16 bits.",
            rule="adapter.size",
        )
    if not data.startswith(MAGIC):
        raise BadAdapter(
            "The adapter is not a GGUF file. Convert it with llama.cpp's convert_lora_to_gguf.py.",
            rule="adapter.file",
        )
    try:
        header = header_of(data, "The adapter")
    except NotAModel as error:
        raise BadAdapter(error.message, rule="adapter.file") from error
    _check_kind(header)
    if header.architecture != model.architecture:
        raise _other_model(f"is for {header.architecture[:40]} models, not {model.architecture}")
    pairs = _pairs(header)
    for name, (first, second) in pairs.items():
        _check_shapes(name, first, second, model)
        for tensor in (first, second):
            _check_numbers(name, tensor, data)


def _check_kind(header: Header) -> None:
    for key, kind in NEEDED_KINDS.items():
        if header.kinds.get(key) != kind:
            raise _no_lora(f"has no `{key}`, or one of another type")
    if header.text("general.type") != "adapter" or header.text("adapter.type") != "lora":
        raise _no_lora("does not call itself a LoRA adapter")
    alpha = header.values["adapter.lora.alpha"]
    if not np.isfinite(alpha) or alpha < 0:
        raise _no_lora("has an alpha that is no number from 0")
    if "adapter.alora.invocation_tokens" in header.kinds:
        raise _no_lora("is an activated LoRA, which waits for words of its own")
    if header.kinds.get("general.alignment", UINT32) != UINT32:
        raise _no_lora("has a `general.alignment` of another type")


def _pairs(header: Header) -> dict[str, tuple[Tensor, Tensor]]:
    """The two factors for each tensor of the model."""
    factors: dict[str, dict[str, Tensor]] = {}
    for name, tensor in header.tensors.items():
        base, _, factor = name.rpartition(".")
        if factor not in {"lora_a", "lora_b"}:
            raise _no_lora(f"has the tensor `{name:.80}`, which is no factor of a LoRA")
        factors.setdefault(base, {})[factor] = tensor
    for base, found in factors.items():
        if len(found) != 2:
            raise _no_lora(f"has only one of the two factors for `{base:.80}`")
    return {base: (found["lora_a"], found["lora_b"]) for base, found in factors.items()}


def _check_shapes(name: str, first: Tensor, second: Tensor, model: Header) -> None:
    adapted = model.tensors.get(name)
    if adapted is None or name == EMBEDDING:
        raise _other_model(f"changes `{name:.80}`, which is nothing it may change in this model")
    shapes = (adapted.shape, first.shape, second.shape)
    if any(len(shape) != MATRIX_DIMENSIONS for shape in shapes):
        raise _other_model(f"has factors for `{name:.80}` that are no matrices")
    rank = first.shape[1]
    if (first.shape[0], second.shape[1]) != adapted.shape or second.shape[0] != rank:
        raise _other_model(
            f"has factors of {first.shape} and {second.shape} for `{name:.80}`, which is "
            f"{adapted.shape}"
        )
    if not 1 <= rank <= LARGEST_RANK:
        raise _no_lora(f"has a rank of {rank}; 1 to {LARGEST_RANK} are allowed")


def _check_numbers(name: str, tensor: Tensor, data: bytes) -> None:
    kind = FLOAT_KINDS.get(tensor.kind)
    if kind is None:
        raise BadAdapter(
            f"The adapter's numbers for `{name:.80}` are quantised. Store them as F16, BF16 or "
            "F32.",
            rule="adapter.numbers",
        )
    numbers = np.frombuffer(data, kind, tensor.size // kind.itemsize, tensor.start)
    if kind.kind == "u":
        is_finite = bool(((numbers & BF16_EXPONENT) != BF16_EXPONENT).all())
    else:
        is_finite = bool(np.isfinite(numbers).all())
    if not is_finite:
        raise BadAdapter(
            f"The adapter's numbers for `{name:.80}` are not all finite. Train it again with a "
            "smaller learning rate.",
            rule="adapter.numbers",
        )


def _no_lora(what: str) -> BadAdapter:
    return BadAdapter(
        f"The adapter {what}. Convert it with llama.cpp's convert_lora_to_gguf.py.",
        rule="adapter.kind",
    )


def _other_model(what: str) -> BadAdapter:
    return BadAdapter(
        f"The adapter {what}. Train it on the model that this store serves.",
        rule="adapter.model",
    )
