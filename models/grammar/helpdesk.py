"""What the helpdesk app asks: a customer's message sorted, and a reply drafted."""

import json
from random import Random
from typing import Any

from models.grammar.complaints import (
    GREETINGS,
    MOODS,
    OPENINGS,
    PROBLEMS,
    PROMISES,
    STEPS,
    THANKS,
    URGENCIES,
)
from models.grammar.example import Example, as_typed, is_held_out, with_capital
from models.grammar.goods import ALL_PRODUCTS
from models.grammar.unknown import FALLBACK, strange_phrase

SORT_SYSTEM = "Sort this customer message. Answer with JSON alone: mood, topic and urgency."
REPLY_SYSTEM = "Draft a polite reply to this customer message."

QUESTION_STARTS = (
    "where",
    "when",
    "has ",
    "how ",
    "can ",
    "why ",
    "is ",
    "do you",
    "does ",
    "what size",
    "what is",
)

# The answer must fit this schema; keys in alphabetical order, as the model was taught.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "mood": {"type": "string", "enum": list(MOODS)},
        "topic": {"type": "string", "enum": [*PROBLEMS, "other"]},
        "urgency": {"type": "string", "enum": ["low", "normal", "high"]},
    },
    "required": ["mood", "topic", "urgency"],
    "additionalProperties": False,
}


def _sentence(text: str) -> str:
    asks = text.startswith(QUESTION_STARTS)
    return f"{with_capital(text)}{'?' if asks else '.'}"


def _draw(rng: Random) -> tuple[str, str, str, str, str, str]:
    """Draw a message: mood, topic, urgency, product, the message and its key."""
    mood, topic = rng.choice(list(MOODS)), rng.choice(list(PROBLEMS))
    urgency = rng.choice(list(URGENCIES))
    product = rng.choice(ALL_PRODUCTS)
    pattern = rng.choice(PROBLEMS[topic])
    feeling = rng.choice(MOODS[mood]) if MOODS[mood] else ""
    pressure = rng.choice(URGENCIES[urgency]) if URGENCIES[urgency] else ""
    key = f"helpdesk:{pattern}/{product}/{feeling}/{pressure}"
    parts = [_sentence(pattern.format(p=product))]
    if feeling:
        parts.insert(rng.randint(0, 1), _sentence(feeling))
    if pressure:
        parts.insert(rng.randint(1, len(parts)), _sentence(pressure))
    if rng.random() < 0.5:
        parts.insert(0, rng.choice(GREETINGS))
    if rng.random() < 0.25:
        parts.append(rng.choice(THANKS))
    return mood, topic, urgency, product, " ".join(parts), key


def sorted_as(mood: str, topic: str, urgency: str) -> str:
    """Write the JSON answer, keys in alphabetical order and no spaces."""
    return json.dumps({"mood": mood, "topic": topic, "urgency": urgency}, separators=(",", ":"))


def drafted(mood: str, topic: str, urgency: str, product: str) -> str:
    """Write the reply that fits what the customer said."""
    step = STEPS[topic].format(p=product)
    return f"Hello,\n\n{OPENINGS[mood]} {step} {PROMISES[urgency]}\n\nKind regards,\nThe shop"


def message(rng: Random, *, held_out: bool, reply: bool) -> Example:
    """Draw a customer's message, to be sorted or to be answered."""
    while True:
        mood, topic, urgency, product, text, key = _draw(rng)
        if is_held_out(key) == held_out:
            break
    text = as_typed(text, rng)
    if reply:
        answer = drafted(mood, topic, urgency, product)
        return Example("reply", REPLY_SYSTEM, text, answer, key)
    return Example("helpdesk", SORT_SYSTEM, text, sorted_as(mood, topic, urgency), key)


def unknown(rng: Random, *, reply: bool) -> Example:
    """Draw a text that is no customer's message: topic other, or the honest fallback."""
    text = strange_phrase(rng)
    if reply:
        return Example("fallback", REPLY_SYSTEM, text, FALLBACK)
    return Example("fallback", SORT_SYSTEM, text, sorted_as("calm", "other", "normal"))
