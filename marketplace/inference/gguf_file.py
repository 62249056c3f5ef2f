"""What a GGUF file says about itself, read before any of it is trusted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf

from marketplace.kernel.errors import Invalid

MAGIC = b"GGUF"


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
    try:
        reader = gguf.GGUFReader(path)
    # The reader indexes into whatever the file says and fails in as many ways as a file can lie.
    except Exception as error:
        raise NotAModel(
            f"{path.name} begins like a GGUF file but cannot be read ({error}). "
            "It may be cut short: download it again."
        ) from error
    architecture = _text(reader, "general.architecture")
    if not architecture or not reader.tensors:
        raise NotAModel(f"{path.name} holds no model, only metadata. Choose another file.")
    return ModelFacts(
        name=_text(reader, "general.name") or path.stem,
        architecture=architecture,
        context=int(_value(reader, f"{architecture}.context_length") or 0),
        licence=_text(reader, "general.license.name") or _text(reader, "general.license"),
        licence_link=_text(reader, "general.license.link"),
    )


def _value(reader: Any, key: str) -> Any:
    found = reader.get_field(key)
    return None if found is None else found.contents()


def _text(reader: Any, key: str) -> str:
    value = _value(reader, key)
    return value if isinstance(value, str) else ""
