"""Models to measure with: random Llamas of real shapes, and the demo model without an end.

Speed does not depend on what the weights say. Answers that never end by themselves make every
answer of a load equally long on both sides.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

REVISION = 1  # raised when what is written changes
NORMAL, UNUSED = 1, 5  # token types
TRAINED_CONTEXT = 32_768
WORD = re.compile(r"^▁[a-z]{2,}$")
Q8_0 = gguf.GGMLQuantizationType.Q8_0

type_weights = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions of a Llama. `vocabulary` pads the demo model's with unused tokens."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    hidden: int
    vocabulary: int = 3072
    is_quantised: bool = False


SHAPES = {
    "tiny": Shape(layers=2, width=64, heads=4, kv_heads=4, hidden=128),
    "m110": Shape(layers=12, width=768, heads=12, kv_heads=12, hidden=2816),
    "1b": Shape(16, 2048, 32, 8, 8192, vocabulary=128_256, is_quantised=True),
    "8b": Shape(32, 4096, 32, 8, 14_336, vocabulary=128_256, is_quantised=True),
}


def write_random(path: Path, shape: Shape, vocabulary_of: Path) -> Path:
    """A Llama of random weights, f16 or Q8_0, with another model's tokeniser.

    All layers share one draw of weights: the work is the same, the writing much shorter.
    """
    reader = gguf.GGUFReader(vocabulary_of)
    types = _contents(reader, "tokenizer.ggml.token_type")
    rng = np.random.default_rng(1)

    def draw(*dimensions: int) -> type_weights:
        # This scale keeps the residual stream's size level through the layers.
        scale = np.float32(1 / np.sqrt(dimensions[-1]))
        return rng.standard_normal(dimensions, dtype=np.float32) * scale

    embedding = draw(shape.vocabulary, shape.width) * np.float32(np.sqrt(shape.width))
    output = draw(shape.vocabulary, shape.width)
    # A token of another kind has a logit of zero and is never among the likeliest forty: no
    # answer ends early, and each token is text that can be shown at once.
    output[[index for index, kind in enumerate(types) if kind != NORMAL]] = 0
    output[len(types) :] = 0
    kv_width = shape.width // shape.heads * shape.kv_heads
    layer = {
        "attn_q": draw(shape.width, shape.width),
        "attn_k": draw(kv_width, shape.width),
        "attn_v": draw(kv_width, shape.width),
        "attn_output": draw(shape.width, shape.width),
        "ffn_gate": draw(shape.hidden, shape.width),
        "ffn_up": draw(shape.hidden, shape.width),
        "ffn_down": draw(shape.width, shape.hidden),
    }
    packed = {name: _packed(weights, shape) for name, weights in layer.items()}
    norm = np.ones(shape.width, dtype=np.float32)

    def write(writer: gguf.GGUFWriter) -> None:
        _describe(writer, shape)
        _copy_tokeniser(writer, reader, shape.vocabulary)
        _add(writer, "token_embd", _packed(embedding, shape), shape)
        _add(writer, "output", _packed(output, shape), shape)
        writer.add_tensor("output_norm.weight", norm)
        for index in range(shape.layers):
            writer.add_tensor(f"blk.{index}.attn_norm.weight", norm)
            writer.add_tensor(f"blk.{index}.ffn_norm.weight", norm)
            for name, weights in packed.items():
                _add(writer, f"blk.{index}.{name}", weights, shape)

    return _write_whole(path, write)


def write_endless(path: Path, source: Path) -> Path:
    """A copy of a model whose answers end at their most tokens alone.

    Only the metadata changes: `<unk>`, which a trained model never writes, is named as the end.
    """
    reader = gguf.GGUFReader(source)
    unknown = _contents(reader, "tokenizer.ggml.unknown_token_id")
    ends = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}

    def write(writer: gguf.GGUFWriter) -> None:
        for name, field in reader.fields.items():
            if name.startswith("GGUF.") or name == "general.architecture":
                continue
            value = unknown if name in ends else field.contents()
            inner = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(name, value, field.types[0], sub_type=inner)
        for tensor in reader.tensors:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)

    return _write_whole(path, write)


def kept(folder: Path, name: str, write: Callable[[Path], Path]) -> Path:
    """A model in the cache, written the first time."""
    path = folder / f"{name}-{REVISION}.gguf"
    return path if path.exists() else write(path)


def words_of(model: Path) -> list[str]:
    """Words that are one token each, of the demo model's vocabulary."""
    tokens = _contents(gguf.GGUFReader(model), "tokenizer.ggml.tokens")
    return [token[1:] for token in tokens if WORD.match(token)]


def _contents(reader: gguf.GGUFReader, name: str) -> Any:
    field = reader.get_field(name)
    assert field is not None, f"The model has no {name}."
    return field.contents()


def _describe(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_name(f"Random {shape.layers} x {shape.width}")
    writer.add_context_length(TRAINED_CONTEXT)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(shape.vocabulary)
    quantised, plain = gguf.LlamaFileType.MOSTLY_Q8_0, gguf.LlamaFileType.MOSTLY_F16
    writer.add_file_type(quantised if shape.is_quantised else plain)


def _copy_tokeniser(writer: gguf.GGUFWriter, reader: gguf.GGUFReader, size: int) -> None:
    padding = {
        "tokenizer.ggml.tokens": lambda index: f"<unused{index}>",
        "tokenizer.ggml.scores": lambda _: -1e9,
        "tokenizer.ggml.token_type": lambda _: UNUSED,
    }
    for name, field in reader.fields.items():
        if not name.startswith("tokenizer."):
            continue
        value = field.contents()
        if name in padding:
            value += [padding[name](index) for index in range(len(value), size)]
        inner = field.types[-1] if len(field.types) > 1 else None
        writer.add_key_value(name, value, field.types[0], sub_type=inner)


def _packed(weights: type_weights, shape: Shape) -> type_weights:
    if shape.is_quantised:
        return gguf.quants.quantize(weights, Q8_0)
    return weights.astype(np.float16)


def _add(writer: gguf.GGUFWriter, name: str, weights: type_weights, shape: Shape) -> None:
    writer.add_tensor(f"{name}.weight", weights, raw_dtype=Q8_0 if shape.is_quantised else None)


def _write_whole(path: Path, write: Callable[[gguf.GGUFWriter], None]) -> Path:
    """Write a GGUF whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_suffix(".part")
    writer = gguf.GGUFWriter(staging, "llama")
    write(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    staging.replace(path)
    return path
