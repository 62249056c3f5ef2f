"""Names that could be taken for another's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.review.checks.naming import check_name, folded, is_near

OTHERS = [("Phrasebook", "caravan.phrasebook"), ("كتاب", "maker.kitab"), ("Chat", "maker.chat")]


@pytest.mark.parametrize(
    ("name", "ident"),
    [
        ("Phrase-B00k", "thief.other"),
        ("PHRASEBOOK", "thief.other"),
        ("Phrasebock", "thief.other"),
        ("Phrasebok", "thief.other"),
        ("Phrasebookk", "thief.other"),
        ("\u0420hr\u0430seb\u043e\u043ek", "thief.other"),  # Cyrillic er, a and o
        ("Something Else", "caravann.phrasebook"),
        ("Something Else", "caravan.phrase-book"),
        ("كتابـ", "thief.other"),
    ],
)
def test_a_name_or_id_that_looks_like_another_is_a_warning(name: str, ident: str) -> None:
    [finding] = check_name(name, ident, OTHERS)
    assert (finding.level, finding.rule) == ("warning", "naming.alike")


@pytest.mark.parametrize("name", ["Chart", "Chats", "Notebook", "翻訳", "!!!", "Wordbook"])
def test_other_names_pass(name: str) -> None:
    assert list(check_name(name, "maker.another", [*OTHERS, ("???", "maker.marks")])) == []


def distance(one: str, other: str) -> int:
    """Levenshtein's, row by row."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        above, row[0] = row[0], i
        for j, b in enumerate(other, start=1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (a != b))
    return row[-1]


LONG = st.text(alphabet="ab", min_size=6, max_size=10)


@given(LONG, LONG)
def test_near_is_at_most_one_letter_away(one: str, other: str) -> None:
    assert is_near(one, other) == (distance(one, other) <= 1)
    assert is_near(one, other) == is_near(other, one)


@given(st.text(max_size=40))
def test_a_name_is_near_itself_when_there_is_anything_to_see(name: str) -> None:
    assert is_near(folded(name), folded(name)) == (folded(name) != "")
