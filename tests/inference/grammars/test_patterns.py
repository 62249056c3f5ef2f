"""Regular expressions as grammars: what is written matches, and what cannot be said is refused."""

import json
import re
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.grammars.schemas import schema_gbnf
from marketplace.inference.ports import BadGeneration
from tests.inference.gbnf import rules_of, write

CHARS = ['"', "/", "é", "-", " ", ".", *"abZ09_"]
ESCAPES = [r"\.", r"\\", r"\"", r"\d", r"\w", r"\s", r"\S", r"\n", r"\x41", r"\u0645"]
CLASSES = ["[a-c]", "[^a-c]", r"[\d\-x]", r"[\]\\]", "[ -~]", '["]', r'[^"\\]']
atoms = st.sampled_from([*CHARS, *ESCAPES, *CLASSES])
repeats = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,3}", "{2,}"])
sequences = st.lists(st.tuples(atoms, repeats).map("".join), max_size=4).map("".join)
groups = st.lists(sequences, min_size=1, max_size=3).map(lambda some: f"({'|'.join(some)})")
patterns = st.lists(sequences | groups, max_size=3).map("".join)


@given(patterns, st.sampled_from(["", "^"]), st.sampled_from(["", "$"]), st.integers(0, 2**32))
def test_what_is_written_matches_the_pattern(pattern: str, start: str, end: str, seed: int) -> None:
    whole = start + (f"(?:{pattern})" if "|" in pattern else pattern) + end
    rules = rules_of(schema_gbnf({"type": "string", "pattern": whole}))
    text = json.loads(write(rules, Random(seed)))
    assert re.search(whole.removesuffix("$") + (r"\Z" if end else ""), text)


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("^(a?a?)?$", "none of a group"),
        ("^" + "a?" * 17 + "$", "at most 16 repetitions"),
        ("^a{0,9999}$", "of at most 1000"),
        ("a{2,1}", "less often"),
        ("a{x}", "other than {m}"),
        ("a{1", "other than {m}"),
        ("a+?", "lazy or possessive"),
        ("(a", "does not end"),
        ("a)", "nothing opened"),
        ("(" * 30 + ")" * 30, "groups inside each other"),
        ("(?=a)", "looks ahead"),
        ("(?P<x>a)", "looks ahead or names"),
        ("*a", "has a * where none can be"),
        ("a^b", "has a ^ where none can be"),
        ("a$b", "has a $ where none can be"),
        (r"\b", r"uses \b"),
        (r"\1", r"uses \1"),
        (r"\xZZ", r"\x without its digits"),
        ("[b-a]", "runs backwards"),
        (r"[\d-a]", "runs backwards"),
        ("[]", "class without characters"),
        ("[a", "ends in the middle"),
        ("a\\", "ends in the middle"),
    ],
)
def test_a_pattern_that_cannot_be_kept_is_refused(pattern: str, what: str) -> None:
    with pytest.raises(BadGeneration) as refused:
        schema_gbnf({"type": "string", "pattern": pattern})
    assert what in refused.value.message


@pytest.mark.fuzz
@given(st.text('ab()[]{}|*+?.^$\\-,0123d"', max_size=12))
def test_any_text_is_a_pattern_or_refused(pattern: str) -> None:
    with suppress(BadGeneration):
        rules = rules_of(schema_gbnf({"type": "string", "pattern": pattern}))
        assert isinstance(json.loads(write(rules, Random(0))), str)
