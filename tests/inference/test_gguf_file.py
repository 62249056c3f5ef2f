"""A GGUF's header is read, and whatever is no whole GGUF is refused in a sentence."""

import shutil
from contextlib import suppress
from pathlib import Path

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.inference.gguf_file import NotAModel, read_facts
from tests.inference.tiny_models import CONTEXT, write_alphabet

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
