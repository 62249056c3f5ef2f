"""A stranger's text turns nothing that stands around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.kernel.bidi import CONTROLS, contained, isolated

LRE, RLE, PDF, LRO, RLO = "\u202a\u202b\u202c\u202d\u202e"
LRI, RLI, FSI, PDI = "\u2066\u2067\u2068\u2069"
TEXTS = st.text(
    alphabet=f"ab \n\u0627\u0628{LRE}{RLE}{PDF}{LRO}{RLO}{LRI}{RLI}{FSI}{PDI}", max_size=40
)


def is_whole(text: str) -> bool:
    """Whether each paragraph closes what it opens and nothing else, by UAX #9's matching rules."""
    for paragraph in text.split("\n"):
        ends: list[str] = []
        for char in paragraph:
            if char in f"{LRE}{RLE}{LRO}{RLO}":
                ends.append(PDF)
            elif char in f"{LRI}{RLI}{FSI}":
                ends.append(PDI)
            elif char in f"{PDF}{PDI}" and (not ends or ends.pop() != char):
                return False
        if ends:
            return False
    return True


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("plain", "plain"),
        ("عربي", "عربي"),
        (f"{RLO}abc", f"{RLO}abc{PDF}"),
        (f"{PDI}abc{PDF}", "abc"),
        (f"{RLI}{RLO}abc", f"{RLI}{RLO}abc{PDF}{PDI}"),
        (f"{RLO}a\nb{PDF}", f"{RLO}a{PDF}\nb"),
        (f"a\u2028{RLO}b\u2029c", f"a\n{RLO}b{PDF}\nc"),
    ],
)
def test_what_is_opened_is_closed_and_what_closes_nothing_is_left_out(
    text: str, becomes: str
) -> None:
    assert contained(text) == becomes


@given(TEXTS)
def test_a_contained_text_is_whole_and_keeps_every_letter(text: str) -> None:
    made = contained(text)
    assert is_whole(made)
    assert CONTROLS.sub("", made) == CONTROLS.sub("", text)
    assert contained(made) == made


@given(TEXTS, TEXTS, TEXTS)
def test_texts_beside_each_other_do_not_join(before: str, text: str, after: str) -> None:
    parts = [contained(before), contained(text), contained(after)]
    assert contained("".join(parts)) == "".join(parts)


def test_only_what_runs_against_a_sentence_is_set_apart() -> None:
    assert isolated("C++", "ltr") == "C++"
    assert isolated("C++", "rtl") == f"{FSI}C++{PDI}"
    assert isolated("عربي", "rtl") == "عربي"
    assert isolated("عربي", "ltr") == f"{FSI}عربي{PDI}"
    assert isolated("12", "rtl") == "12"
    assert isolated(f"{RLO}abc", "ltr") == f"{FSI}{RLO}abc{PDF}{PDI}"
