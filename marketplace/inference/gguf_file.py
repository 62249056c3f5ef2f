"""What a GGUF file says about itself, read before any of it is trusted.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The reader of the `gguf`
package makes an object of every token, which takes many seconds for a large vocabulary; this one
steps over what it does not need.
"""

import mmap
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

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
        self._check_tensors(tensors, int(values.get("general.alignment") or DEFAULT_ALIGNMENT))

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
        )

    def _pair(self) -> tuple[str, Any]:
        key = self._string(LONGEST_KEY_BYTES)
        return key, self._value(self._scalar("I"))

    def _value(self, kind: int) -> Any:
        if kind == STRING:
            return self._string(len(self._data))
        if kind == ARRAY:
            self._skip_array()
            return None
        return self._scalar(_code(kind))

    def _skip_array(self) -> None:
        kind, count = self._scalar("I"), self._scalar("Q")
        if kind == STRING:
            for _ in range(count):
                self._skip(self._scalar("Q"))
        else:
            self._skip(count * struct.calcsize(_code(kind)))

    def _check_tensors(self, count: int, alignment: int) -> None:
        end = 0
        for _ in range(count):
            self._skip(self._scalar("Q"))
            dimensions = self._scalar("I")
            if not 1 <= dimensions <= MOST_DIMENSIONS:
                raise ValueError(f"a tensor has {dimensions} dimensions")
            elements = prod(self._scalar("Q") for _ in range(dimensions))
            kind, offset = self._scalar("I"), self._scalar("Q")
            block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
            end = max(end, offset + elements // block * block_bytes)
        if not count or alignment < 1:
            raise ValueError("it has no tensors")
        start = -(-self._at // alignment) * alignment
        if start + end > len(self._data):
            raise ValueError(f"{start + end} bytes are announced, {len(self._data)} are there")

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
