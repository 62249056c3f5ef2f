"""A GGUF's header is read, and whatever is no whole GGUF is refused in a sentence."""

import shutil
from contextlib import suppress
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.inference.gguf_file import NotAModel, read_facts
from tests.inference.tiny_models import CONTEXT, LAYERS, WIDTH, write_alphabet

FIXTURES = [HealthCheck.function_scoped_fixture]


def test_a_model_says_its_name_kind_context_and_licence(tmp_path: Path) -> None:
    facts = read_facts(write_alphabet(tmp_path / "a.gguf", licence="llama3.2"))
    assert (facts.name, facts.architecture, facts.context) == ("Alphabet", "llama", CONTEXT)
    assert facts.licence == "llama3.2"


def test_what_it_reads_is_what_the_gguf_package_reads(alphabet: Path) -> None:
    reader = gguf.GGUFReader(alphabet)
    facts = read_facts(alphabet)
    assert facts.name == reader.get_field("general.name").contents()
    assert facts.context == reader.get_field("llama.context_length").contents()


def test_the_sizes_of_its_parts_are_those_of_its_tensors(alphabet: Path) -> None:
    tensors = {tensor.name: int(tensor.n_bytes) for tensor in gguf.GGUFReader(alphabet).tensors}
    sizes = read_facts(alphabet).sizes
    assert sizes.input_bytes == tensors["token_embd.weight"]
    assert sizes.output_bytes == tensors["output.weight"] + tensors["output_norm.weight"]
    for block, size in enumerate(sizes.block_bytes):
        assert size == sum(n for name, n in tensors.items() if name.startswith(f"blk.{block}."))
    assert sizes.weight_bytes == sum(tensors.values())
    assert sizes.kv_bytes == (2 * 2 * WIDTH,) * LAYERS  # keys and values, 16 bits each


def write_header(path: Path, **figures: int | list[int]) -> Path:
    """A model of two tensors, tied embeddings and these figures."""
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in figures.items():
        if isinstance(value, int):
            writer.add_uint32(f"llama.{key}", value)
        else:
            writer.add_array(f"llama.{key}", value)
    writer.add_tensor("token_embd.weight", np.zeros((4, 8), np.float32))
    writer.add_tensor("blk.1.attn_q.weight", np.zeros((8, 8), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_figures_for_each_block_and_tied_embeddings_are_understood(tmp_path: Path) -> None:
    sizes = read_facts(
        write_header(
            tmp_path / "x.gguf",
            **{
                "block_count": 2,
                "embedding_length": 8,
                "attention.head_count": 4,
                "attention.head_count_kv": [1, 2],
                "attention.key_length": 16,
            },
        )
    ).sizes
    assert (sizes.input_bytes, sizes.output_bytes) == (128, 128)
    assert sizes.block_bytes == (0, 256)
    assert sizes.kv_bytes == (2 * 1 * (16 + 2), 2 * 2 * (16 + 2))


def test_a_model_that_claims_countless_blocks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAModel, match="claims 4000000000 blocks"):
        read_facts(write_header(tmp_path / "x.gguf", block_count=4_000_000_000))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<html>", "is not a GGUF file"),
        (b"", "is not a GGUF file"),
        (b"GGUF", "cannot be read"),
        (b"GGUF\x09\0\0\0" + b"\0" * 16, "its version is 9"),
        (b"GGUF\x03\0\0\0" + b"\0" * 16, "no tensors"),
        (b"GGUF\x03\0\0\0" + b"\xff" * 16, "cannot be read"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(NotAModel, match=sentence):
        read_facts(path)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None
)
@given(share=st.floats(0, 0.999))
def test_a_model_cut_short_anywhere_is_refused(
    alphabet: Path, tmp_path: Path, share: float
) -> None:
    path = tmp_path / "cut.gguf"
    shutil.copyfile(alphabet, path)
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))
    with pytest.raises(NotAModel):
        read_facts(path)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None
)
@given(at=st.integers(4, 9000), byte=st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused_but_never_a_crash(
    alphabet: Path, tmp_path: Path, at: int, byte: int
) -> None:
    content = bytearray(alphabet.read_bytes())
    content[at] = byte
    path = tmp_path / "changed.gguf"
    path.write_bytes(content)
    with suppress(NotAModel):  # any other exception fails the test
        assert read_facts(path).architecture
