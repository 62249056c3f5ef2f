"""Tiny LoRA adapters for the tiny models, right ones and wrong ones."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.inference.tiny_models import HIDDEN, LAYERS, WIDTH

RANK = 4


def write_adapter(
    path: Path,
    *,
    seed: int = 3,
    scale: float = 0.5,
    tensors: dict[str, Any] | None = None,
    **texts: Any,
) -> Path:
    """A random adapter of the attention and the feed-forward of every layer.

    Args:
        tensors: given instead of the usual ones.
        texts: values instead of the usual ones: `type`, `architecture`, `kind`, `alpha`.
    """
    writer = gguf.GGUFWriter(path, texts.get("architecture", "llama"))
    writer.add_type(texts.get("type", "adapter"))
    writer.add_string("adapter.type", texts.get("kind", "lora"))
    alpha = texts.get("alpha", 8.0)
    if isinstance(alpha, str):
        writer.add_string("adapter.lora.alpha", alpha)
    else:
        writer.add_float32("adapter.lora.alpha", alpha)
    if "alora" in texts:
        writer.add_array("adapter.alora.invocation_tokens", texts["alora"])
    for name, tensor in (tensors or usual(seed, scale)).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def usual(seed: int = 3, scale: float = 0.5) -> dict[str, Any]:
    """Both factors for two tensors of every layer."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for layer in range(LAYERS):
        for part, (wide, high) in {"attn_q": (WIDTH, WIDTH), "ffn_up": (WIDTH, HIDDEN)}.items():
            name = f"blk.{layer}.{part}.weight"
            tensors[f"{name}.lora_a"] = rng.normal(size=(RANK, wide)).astype(np.float32) * scale
            tensors[f"{name}.lora_b"] = rng.normal(size=(high, RANK)).astype(np.float32) * scale
    return tensors
