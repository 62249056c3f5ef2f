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
from dataclasses import dataclass
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


def read_facts(path: Path) -> ModelFacts:
    """Read and check a GGUF's header and tensor table.

    Raises: NotAModel when the file is something else, broken, or cut short.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise NotAModel(
                f"{path.name} is not a GGUF file. Choose a file whose name ends in .gguf; "
                "other formats must be converted first."
            )
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                facts = _Cursor(data).read()
            except (struct.error, ValueError, OverflowError) as error:
                raise NotAModel(
                    f"{path.name} begins like a GGUF file but cannot be read ({error}). "
                    "It may be cut short: download it again."
                ) from error
    if not facts.architecture:
        raise NotAModel(f"{path.name} does not say what kind of model it is. Choose another file.")
    return facts


class _Cursor:
    """Walks through the header of a mapped file."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = len(MAGIC)

    def read(self) -> ModelFacts:
        version = self._scalar("I")
        if version not in VERSIONS:
            raise ValueError(f"its version is {version}")
        tensors, pairs = self._scalar("Q"), self._scalar("Q")
        values = dict(self._pair() for _ in range(pairs))
        alignment = values.get("general.alignment", DEFAULT_ALIGNMENT)
        tensor_bytes = self._tensors(tensors, alignment if isinstance(alignment, int) else 0)

        def text(key: str) -> str:
            value = values.get(key)
            return value if isinstance(value, str) else ""

        architecture = text("general.architecture")
        context = values.get(f"{architecture}.context_length")
        return ModelFacts(
            name=text("general.name"),
            architecture=architecture,
            context=context if isinstance(context, int) else 0,
            licence=text("general.license.name") or text("general.license"),
            licence_link=text("general.license.link"),
            sizes=_sizes(architecture, values, tensor_bytes),
        )

    def _pair(self) -> tuple[str, Any]:
        key = self._string(LONGEST_KEY_BYTES)
        return key, self._value(self._scalar("I"))

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

    def _tensors(self, count: int, alignment: int) -> dict[str, int]:
        """The bytes of each tensor, after checking that the file holds them all."""
        end = 0
        found = {}
        for _ in range(count):
            name = self._string(LONGEST_KEY_BYTES)
            dimensions = self._scalar("I")
            if not 1 <= dimensions <= MOST_DIMENSIONS:
                raise ValueError(f"a tensor has {dimensions} dimensions")
            elements = prod(self._scalar("Q") for _ in range(dimensions))
            kind, offset = self._scalar("I"), self._scalar("Q")
            block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
            found[name] = elements // block * block_bytes
            end = max(end, offset + found[name])
        if not count or alignment < 1:
            raise ValueError("it has no tensors")
        start = -(-self._at // alignment) * alignment
        if start + end > len(self._data):
            raise ValueError(f"{start + end} bytes are announced, {len(self._data)} are there")
        return found

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


def _sizes(
    architecture: str, values: Mapping[str, Any], tensor_bytes: Mapping[str, int]
) -> ModelSizes:
    """What the parts of a model take, from its tensors' sizes and its own figures."""

    def figure(key: str, block: int, default: int = 0) -> int:
        value = values.get(f"{architecture}.{key}", default)
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
