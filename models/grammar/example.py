"""One thing the model is taught or examined on, and how people really type it."""

import hashlib
import re
from dataclasses import dataclass
from random import Random

HELD_OUT_PERCENT = 8
NUMERALS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
DIGITS = {word: str(value) for value, word in enumerate(NUMERALS, start=1)}
CONTRACTIONS = {
    "I would": "I'd",
    "do not": "don't",
    "does not": "doesn't",
    "cannot": "can't",
    "I am": "I'm",
    "it is": "it's",
    "has not": "hasn't",
}


@dataclass(frozen=True)
class Example:
    """A conversation of one turn: what is sent, the right answer, and which combination it is.

    `key` names the combination of slots without its surface, so every way of typing one
    combination falls on the same side of the split. An empty key is never held out.
    """

    app: str
    system: str
    user: str
    answer: str
    key: str = ""


def is_held_out(key: str) -> bool:
    """Tell whether this combination is kept for the examination, never trained on."""
    if not key:
        return False
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < HELD_OUT_PERCENT


def as_typed(text: str, rng: Random) -> str:
    """Give the text as a hurried person types it: case, final stop, spaces, short forms."""
    if rng.random() < 0.2:
        for long, short in CONTRACTIONS.items():
            text = text.replace(long, short)
    if rng.random() < 0.2:
        text = re.sub(r"\b(" + "|".join(NUMERALS) + r")\b", lambda m: DIGITS[m[0]], text)
    if rng.random() < 0.25:
        text = text.rstrip(".?!")
    draw = rng.random()
    if draw < 0.2:
        text = text.lower()
    elif draw < 0.23:
        text = text.upper()
    if rng.random() < 0.04:
        text = text.replace(" ", "  ", 1)
    return text


def with_capital(text: str) -> str:
    """Make the first letter a capital, past an opening mark such as the Spanish one."""
    for at, letter in enumerate(text):
        if letter.isalpha():
            return text[:at] + letter.upper() + text[at + 1 :]
    return text
