"""What a GGUF file says about itself, read before any of it is trusted.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The reader of the `gguf`
package makes an object of every token, which takes many seconds for a large vocabulary; this one
steps over what it does not need.
"""

import mmap
import re
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from marketplace.inference.placement import ModelSizes
from marketplace.kernel.errors import Invalid

MAGIC = b"GGUF"
VERSIONS = (2, 3)
STRING, ARRAY = 8, 9
SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
DEFAULT_ALIGNMENT = 32
MOST_DIMENSIONS = 4
LONGEST_KEY_BYTES = 65_535
LONGEST_ARRAY = 4096  # numbers; longer ones belong to the vocabulary and are stepped over
MOST_BLOCKS = 4096
KV_NUMBER_BYTES = 2
BLOCK = re.compile(r"blk\.(\d{1,4})\.")
INPUT, OUTPUT = "token_embd.weight", "output.weight"


class NotAModel(Invalid):
    """A file is no GGUF that could be served."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model's own words about itself; empty where it is silent."""

    name: str
    architecture: str
    context: int
    licence: str
    licence_link: str
    sizes: ModelSizes


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a file: its shape with the inner dimension first, and where its bytes lie."""

    shape: tuple[int, ...]
    kind: int
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the numbers of a file.

    Args:
        values: by key; None for long lists and lists of texts, which are stepped over.
        kinds: in which GGUF type each value is written.
    """

    values: Mapping[str, Any]
    kinds: Mapping[str, int]
    tensors: Mapping[str, Tensor]

    def text(self, key: str) -> str:
        """A value that is a text, or an empty one."""
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    @property
    def architecture(self) -> str:
        """The kind of model, in llama.cpp's words."""
        return self.text("general.architecture")


def read_header(path: Path) -> Header:
    """Read a GGUF's header and tensor table, and check that the file is whole.

    Raises: NotAModel when the file is something else, broken, or cut short.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise NotAModel(
                f"{path.name} is not a GGUF file. Choose a file whose name ends in .gguf; "
                "other formats must be converted first."
            )
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return header_of(data, path.name)


def header_of(data: mmap.mmap | bytes, name: str) -> Header:
    """The header of a file's bytes, which begin with the magic. Raises: NotAModel."""
    try:
        return _Cursor(data).read()
    except (struct.error, ValueError, OverflowError) as error:
        raise NotAModel(
            f"{name} begins like a GGUF file but cannot be read ({error}). "
            "It may be cut short: download it again."
        ) from error


def check_projector(path: Path, model: Path, name: str, model_name: str) -> None:
    """Hold a projector against the model it is to see for.

    Args:
        name: what a person calls the file; `model_name` likewise.
    Raises: NotAModel when it is none for pictures, or the engine cannot serve the two.
    """
    header = read_header(path)
    is_seeing = header.values.get("clip.has_vision_encoder") is True
    if header.architecture != "clip" or not is_seeing:
        raise NotAModel(
            f"{name} is no projector for pictures. Choose the file that is published beside "
            "the model, whose name usually begins with mmproj."
        )
    text = read_header(model)
    if f"{text.architecture}.rope.dimension_sections" in text.values:
        raise NotAModel(
            f"{model_name} counts the places of pictures in rows and columns (M-RoPE), which the "
            "engine cannot serve yet. Choose another model that sees, such as LLaVA, Gemma 3, "
            "SmolVLM or Pixtral, or add this one without its projector."
        )


def read_facts(path: Path, projector: Path | None = None) -> ModelFacts:
    """What a GGUF says about the model in it.

    Args:
        projector: the GGUF that lets it see; it takes memory where the output is computed.
    Raises: NotAModel when the file is something else, broken, or cut short.
    """
    header = read_header(path)
    if not header.architecture:
        raise NotAModel(f"{path.name} does not say what kind of model it is. Choose another file.")
    context = header.values.get(f"{header.architecture}.context_length")
    try:
        sizes = _sizes(header)
    except ValueError as error:
        raise NotAModel(f"{path.name} cannot be read ({error}). Choose another file.") from error
    if projector is not None:
        seeing = projector.stat().st_size
        sizes = replace(sizes, output_bytes=sizes.output_bytes + seeing)
    return ModelFacts(
        name=header.text("general.name"),
        architecture=header.architecture,
        context=context if isinstance(context, int) else 0,
        licence=header.text("general.license.name") or header.text("general.license"),
        licence_link=header.text("general.license.link"),
        sizes=sizes,
    )


class _Cursor:
    """Walks through the header of a mapped file."""

    def __init__(self, data: mmap.mmap | bytes) -> None:
        self._data = data
        self._at = len(MAGIC)

    def read(self) -> Header:
        version = self._scalar("I")
        if version not in VERSIONS:
            raise ValueError(f"its version is {version}")
        tensors, pairs = self._scalar("Q"), self._scalar("Q")
        values: dict[str, Any] = {}
        kinds: dict[str, int] = {}
        for _ in range(pairs):
            key = self._string(LONGEST_KEY_BYTES)
            kinds[key] = self._scalar("I")
            values[key] = self._value(kinds[key])
        alignment = values.get("general.alignment", DEFAULT_ALIGNMENT)
        found = self._tensors(tensors, alignment if isinstance(alignment, int) else 0)
        return Header(values, kinds, found)

    def _value(self, kind: int) -> Any:
        if kind == STRING:
            return self._string(len(self._data))
        if kind == ARRAY:
            return self._array()
        return self._scalar(_code(kind))

    def _array(self) -> list[Any] | None:
        """A short list of numbers; None for anything else, which is stepped over."""
        kind, count = self._scalar("I"), self._scalar("Q")
        if kind == STRING:
            for _ in range(count):
                self._skip(self._scalar("Q"))
            return None
        if count <= LONGEST_ARRAY:
            return [self._scalar(_code(kind)) for _ in range(count)]
        self._skip(count * struct.calcsize(_code(kind)))
        return None

    def _tensors(self, count: int, alignment: int) -> dict[str, Tensor]:
        """The tensors, after checking that the file holds them all."""
        listed = []
        for _ in range(count):
            name = self._string(LONGEST_KEY_BYTES)
            dimensions = self._scalar("I")
            if not 1 <= dimensions <= MOST_DIMENSIONS:
                raise ValueError(f"a tensor has {dimensions} dimensions")
            shape = tuple(self._scalar("Q") for _ in range(dimensions))
            kind, offset = self._scalar("I"), self._scalar("Q")
            block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
            listed.append((name, shape, kind, offset, prod(shape) // block * block_bytes))
        if not count or alignment < 1:
            raise ValueError("it has no tensors")
        start = -(-self._at // alignment) * alignment
        end = max(start + offset + size for *_, offset, size in listed)
        if end > len(self._data):
            raise ValueError(f"{end} bytes are announced, {len(self._data)} are there")
        return {
            name: Tensor(shape, kind, start + offset, size)
            for name, shape, kind, offset, size in listed
        }

    def _scalar(self, code: str) -> Any:
        [value] = struct.unpack_from("<" + code, self._data, self._at)
        self._at += struct.calcsize("<" + code)
        return value

    def _string(self, longest: int) -> str:
        size = self._scalar("Q")
        if size > longest:
            raise ValueError(f"a text has {size} bytes")
        start = self._at
        self._skip(size)
        return self._data[start : self._at].decode("utf-8", "replace")

    def _skip(self, size: int) -> None:
        self._at += size
        if self._at > len(self._data):
            raise ValueError("it ends in the middle of its header")


def _code(kind: int) -> str:
    if kind not in SCALARS:
        raise ValueError(f"a value has the unknown type {kind}")
    return SCALARS[kind]


def _sizes(header: Header) -> ModelSizes:
    """What the parts of a model take, from its tensors' sizes and its own figures."""
    tensor_bytes = {name: tensor.size for name, tensor in header.tensors.items()}

    def figure(key: str, block: int, default: int = 0) -> int:
        value = header.values.get(f"{header.architecture}.{key}", default)
        if isinstance(value, list):  # some models give a figure for each block
            value = value[block] if block < len(value) else default
        return value if isinstance(value, int) and value > 0 else default

    blocks = figure("block_count", 0)
    if blocks > MOST_BLOCKS:
        raise ValueError(f"it claims {blocks} blocks")
    weights: Counter[int] = Counter()
    for name, size in tensor_bytes.items():
        if found := BLOCK.match(name):
            weights[int(found[1])] += size
    input_bytes = tensor_bytes.get(INPUT, 0)
    rest = sum(tensor_bytes.values()) - weights.total() - input_bytes
    kv_bytes = []
    for block in range(blocks):
        heads = figure("attention.head_count", block, 1)
        head_size = figure("embedding_length", block) // heads
        numbers = figure("attention.key_length", block, head_size)
        numbers += figure("attention.value_length", block, head_size)
        kv_heads = figure("attention.head_count_kv", block, heads)
        kv_bytes.append(KV_NUMBER_BYTES * kv_heads * numbers)
    return ModelSizes(
        input_bytes=input_bytes,
        # A model without an output of its own uses the embeddings for it, copied to the GPU.
        output_bytes=rest if OUTPUT in tensor_bytes else rest + input_bytes,
        block_bytes=tuple(weights[block] for block in range(blocks)),
        kv_bytes=tuple(kv_bytes),
    )
