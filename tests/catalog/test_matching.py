"""How words are compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.catalog import matching

WORD = st.text(alphabet="abcde", min_size=4, max_size=9)


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        ("form", "from", 1),
        ("phrasebook", "phrasbook", 1),
        ("a", "", 1),
        ("cat", "dog", 3),
        ("", "", 0),
    ],
)
def test_slips_are_counted(one: str, other: str, count: int) -> None:
    assert matching.slips(one, other) == matching.slips(other, one) == count


@given(WORD, WORD)
def test_slips_are_a_measure(one: str, other: str) -> None:
    count = matching.slips(one, other)
    assert (count == 0) == (one == other)
    assert abs(len(one) - len(other)) <= count <= max(len(one), len(other))


@given(WORD, st.integers(0, 8), st.sampled_from("abcdexyz"))
def test_a_word_with_one_slip_shares_a_variant_with_the_word(
    word: str, place: int, letter: str
) -> None:
    place = min(place, len(word) - 1)
    swapped = word[:place] + word[place + 1 : place + 2] + word[place] + word[place + 2 :]
    for slip in (
        word[:place] + word[place + 1 :],
        word[:place] + letter + word[place:],
        word[:place] + letter + word[place + 1 :],
        swapped,
    ):
        assert matching.variants(word) & matching.variants(slip)
        assert matching.slips(word, slip) <= 1
        if slip != word and len(slip) >= matching.ONE_SLIP_FROM:
            assert matching.nearest(slip, [word], most=1) == [word]


def test_short_words_are_taken_as_they_are() -> None:
    assert matching.nearest("cat", ["car", "cats"], most=4) == []
    assert matching.parts("cat") == set()
    assert matching.parts("caravan") == {"cara", "carav", "carava", "caravan"}


@pytest.mark.parametrize(
    ("word", "stem"),
    [
        ("الدردشه", "دردشه"),
        ("والكتاب", "كتاب"),
        ("بالعربيه", "عربيه"),
        ("الم", "الم"),
        ("tea", "tea"),
    ],
)
def test_the_arabic_article_is_taken_off_longer_words(word: str, stem: str) -> None:
    assert matching.without_article(word) == stem


@given(st.text(max_size=60))
def test_no_word_has_what_indexes_read_as_their_own(text: str) -> None:
    for word in matching.forms(text):
        assert word.isalnum()
