"""How words are compared: one form of each letter, and words that are spelt alike. Pure."""

import re
import unicodedata
from collections.abc import Iterable

TATWEEL = "ـ"


class _Folding(dict[int, int | str | None]):
    """Character → what it is compared as; worked out once for each character met.

    Accents and vowel signs go, and what Arabic writers leave out or vary becomes one letter:
    alef with hamza or madda, alef maqsura, ta marbuta.
    """

    def __missing__(self, code: int) -> int | None:
        letter = chr(code)
        self[code] = None if unicodedata.combining(letter) or letter == TATWEEL else code
        return self[code]  # type: ignore[return-value]  # set on the line above


FOLDING = _Folding(str.maketrans("أإآٱىةؤئ", "اااايهوي"))
WORD = re.compile(r"[^\W_]+")
# The article with what is written onto it, longest first: the prefixes of Larkey's light stemmer.
# https://doi.org/10.1145/564376.564425
ARTICLES = ("وال", "بال", "كال", "فال", "ال", "لل")
SHORTEST_STEM = 3
# One slip is forgiven from four letters on, two from eight: Algolia's thresholds.
ONE_SLIP_FROM = 4
TWO_SLIPS_FROM = 8
LONGEST_PART = 7
LONGEST_WORD = 24


def normalised(text: str) -> str:
    """The text as it is compared: small letters, no accents, one form of each Arabic letter.

    `كَتَبَ` becomes `كتب`, `إدارة` becomes `اداره`, `Café` becomes `cafe`.
    """
    if text.isascii():
        return text.lower()
    bare = unicodedata.normalize("NFKD", text).translate(FOLDING)
    # Only taken apart are letters such as the mathematical capitals that can be made small.
    return unicodedata.normalize("NFKC", bare.casefold()).translate(FOLDING)


def words(text: str) -> list[str]:
    """The words of a text as they are compared."""
    return WORD.findall(normalised(text))


def without_article(word: str) -> str:
    """An Arabic word without its article: `الدردشه` becomes `دردشه`; other words stay."""
    if not word.startswith(ARTICLES):
        return word
    for article in ARTICLES:
        if word.startswith(article) and len(word) - len(article) >= SHORTEST_STEM:
            return word[len(article) :]
    return word


def forms(text: str) -> list[str]:
    """A text's words, each once, and their forms without the article."""
    found = words(text)
    return list(dict.fromkeys([*found, *map(without_article, found)]))


def name_key(name: str) -> str:
    """A name as a whole: equal for names that a person would call the same."""
    return " ".join(words(name))


def slips_allowed(word: str) -> int:
    """How many slips of the finger are forgiven in a word."""
    return (len(word) >= ONE_SLIP_FROM) + (len(word) >= TWO_SLIPS_FROM)


def variants(word: str) -> set[str]:
    """The word, and what is left of it without one of its letters.

    Two words that share a variant are at most one slip in each apart, so an equality finds
    what is spelt alike (symmetric deletion, Wolf Garbe's SymSpell).
    """
    return {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}


def parts(word: str) -> set[str]:
    """What of a word may have been typed so far: its beginnings of 4 to 7 letters, and all."""
    if not ONE_SLIP_FROM <= len(word) <= LONGEST_WORD:
        return set()
    return {word, *(word[:n] for n in range(ONE_SLIP_FROM, min(LONGEST_PART, len(word)) + 1))}


def slips(one: str, other: str) -> int:
    """How many letters are missing, surplus, wrong or swapped between two words.

    The optimal string alignment distance (Damerau 1964): `form` to `from` is 1.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, against in enumerate(other, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != against))
            is_swap = i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against
            row.append(min(best, last[j - 2] + 1) if is_swap else best)
    return row[-1]


def nearest(word: str, known: Iterable[str], *, most: int) -> list[str]:
    """Those of the known words that may have been meant: the closest, then the longest, first."""
    distances = {other: slips(word, other) for other in known if other != word}
    near = [other for other, count in distances.items() if count <= slips_allowed(word)]
    return sorted(near, key=lambda other: (distances[other], -len(other), other))[:most]
