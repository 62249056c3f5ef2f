"""What the phrasebook app asks, and the translation it should get."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import product
from random import Random

from models.grammar.example import Example, as_typed, is_held_out, with_capital
from models.grammar.kinds import kinds
from models.grammar.phrases import PATTERNS
from models.grammar.sayings import SAYINGS
from models.grammar.terms import Entry
from models.grammar.unknown import FALLBACK, strange_phrase, strange_word

LANGUAGES = {"French": "fr", "Spanish": "es", "Arabic": "ar"}
COURTESIES = (
    ("hello", "bonjour", "hola", "مرحباً"),
    ("excuse me", "excusez-moi", "perdone", "المعذرة"),
    ("sorry", "pardon", "perdón", "آسف"),
    ("good morning", "bonjour", "buenos días", "صباح الخير"),
    ("good evening", "bonsoir", "buenas tardes", "مساء الخير"),
)
PLEASE = {"en": ", please", "fr": ", s'il vous plaît", "es": ", por favor", "ar": "، من فضلك"}
REQUESTS = ("I would like", "can I have", "take me", "I need", "wake me", "call", "how do I get")
MOST_WEIGHT = 4.0
CODES = ("en", "fr", "es", "ar")


@dataclass(frozen=True)
class Pattern:
    """A sentence with slots, in the four languages."""

    slots: tuple[tuple[str, str], ...]
    sentences: dict[str, str]

    def say(self, code: str, chosen: dict[str, Entry]) -> str:
        """Fill the slots and give the sentence in one language, still without its capital."""
        terms = {name: getattr(entry, code) for name, entry in chosen.items()}
        return self.sentences[code].format(**terms)


@cache
def patterns() -> list[Pattern]:
    """Read the sentence patterns."""
    read = []
    for line in PATTERNS.strip().splitlines():
        slots, *sentences = line.split(" | ")
        pairs = [slot.split("=") for slot in slots.split()]
        read.append(
            Pattern(
                tuple((name, kind) for name, kind in pairs),
                dict(zip(CODES, sentences, strict=True)),
            )
        )
    return read


@cache
def sayings() -> list[dict[str, str]]:
    """Read the phrases without slots."""
    rows = [line.split(" | ") for line in SAYINGS.strip().splitlines()]
    return [dict(zip(CODES, row, strict=True)) for row in rows]


def _key(number: int, entries: Iterable[Entry]) -> str:
    return f"phrasebook:{number}:" + "/".join(entry.key for entry in entries)


@cache
def _taught() -> frozenset[str]:
    """Find the terms that at least one combination outside the examination uses."""
    found: set[str] = set()
    for number, pattern in enumerate(patterns()):
        for entries in product(*(kinds()[kind] for _, kind in pattern.slots)):
            if not is_held_out(_key(number, entries)):
                found.update(entry.key for entry in entries)
    return frozenset(found)


def is_examined(key: str) -> bool:
    """Tell whether a combination is kept for the examination: none of its terms is new there."""
    return is_held_out(key) and _taught().issuperset(key.split(":")[2].split("/"))


@cache
def _weights() -> list[float]:
    """How often each pattern is taught: the more, the fewer sentences teach its rarest words.

    The square root tempers it, so that no pattern crowds the others out: with 10 parts of the body
    in one pattern 3.2, with 44 places in 20 patterns 1.5, and 4 at most.
    """
    uses = Counter(kind for pattern in patterns() for _, kind in pattern.slots)
    rarity = [max(len(kinds()[kind]) / uses[kind] for _, kind in p.slots) for p in patterns()]
    return [min(MOST_WEIGHT, max(1.0, each**0.5)) for each in rarity]


def system_for(language: str) -> str:
    """The instruction the phrasebook app sends."""
    return f"Translate the text into {language}. Answer with the translation alone."


def _with_please(sentence: str, code: str) -> str:
    bare = sentence.rstrip(" .?!؟")
    return bare + PLEASE[code] + sentence[len(bare) :]


def _with_courtesy(sentence: str, courtesy: str, code: str) -> str:
    return f"{courtesy}{'،' if code == 'ar' else ','} {sentence}"


def saying(rng: Random, language: str) -> Example:
    """Draw one fixed phrase."""
    row = rng.choice(sayings())
    code = LANGUAGES[language]
    return Example("phrasebook", system_for(language), as_typed(row["en"], rng), row[code])


def sentence(rng: Random, language: str, *, held_out: bool) -> Example:
    """Draw one filled pattern from the trained or from the held-out combinations."""
    code = LANGUAGES[language]
    while True:
        if held_out:
            number = rng.randrange(len(patterns()))
        else:
            [number] = rng.choices(range(len(patterns())), _weights())
        pattern = patterns()[number]
        chosen = {name: rng.choice(kinds()[kind]) for name, kind in pattern.slots}
        key = _key(number, chosen.values())
        if is_examined(key) == held_out:
            break
    said = {"en": pattern.say("en", chosen), code: pattern.say(code, chosen)}
    if said["en"].startswith(REQUESTS) and rng.random() < 0.4:
        said = {each: _with_please(text, each) for each, text in said.items()}
    if rng.random() < 0.2:
        courtesy = dict(zip(CODES, rng.choice(COURTESIES), strict=True))
        said = {each: _with_courtesy(text, courtesy[each], each) for each, text in said.items()}
    typed = as_typed(with_capital(said["en"]), rng)
    return Example("phrasebook", system_for(language), typed, with_capital(said[code]), key)


def unknown(rng: Random, language: str) -> Example:
    """Draw a text the phrasebook does not know, answered with the honest fallback."""
    draw = rng.random()
    words = sentence(rng, language, held_out=False).user.split()
    if draw < 0.06:
        text = sentence(rng, rng.choice(tuple(LANGUAGES)), held_out=False).answer
    elif draw < 0.5 or len(words) < 4 or max(map(len, words)) < 4:
        text = strange_phrase(rng)
    elif draw < 0.6:
        rng.shuffle(words)
        text = " ".join(words)
    else:
        long_words = [at for at, word in enumerate(words) if len(word) > 3]
        at = rng.choice(long_words or range(len(words)))
        word = strange_word(rng)
        while word in _known_words():
            word = strange_word(rng)
        words[at] = word + words[at][len(words[at].rstrip(".?!,")) :]
        text = " ".join(words)
    return Example("fallback", system_for(language), text, FALLBACK)


@cache
def _known_words() -> frozenset[str]:
    """Every English word of the grammar, so that an unknown word is really unknown."""
    words = set(re.findall(r"[a-z']+", (PATTERNS + SAYINGS).lower()))
    for entries in kinds().values():
        for entry in entries:
            words |= set(re.findall(r"[a-z']+", f"{entry.en.bare} {entry.en.forms}".lower()))
    return frozenset(words)
