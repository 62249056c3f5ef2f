"""The mixture the model is trained on, and the held-out sets it is examined on."""

from random import Random

from models.grammar import copywriter, helpdesk, phrasebook, smalltalk
from models.grammar.example import Example

LANGUAGES = tuple(phrasebook.LANGUAGES)


def lesson(rng: Random) -> Example:
    """Draw one example to train on; held-out combinations never appear."""
    draw = rng.random()
    language = rng.choice(LANGUAGES)
    if draw < 0.40:
        return phrasebook.sentence(rng, language, held_out=False)
    if draw < 0.45:
        return phrasebook.saying(rng, language)
    if draw < 0.50:
        return phrasebook.unknown(rng, language)
    if draw < 0.63:
        return helpdesk.message(rng, held_out=False, reply=False)
    if draw < 0.70:
        return helpdesk.message(rng, held_out=False, reply=True)
    if draw < 0.715:
        return helpdesk.unknown(rng, reply=rng.random() < 0.7)
    if draw < 0.88:
        return copywriter.request(rng, held_out=False, freedom=rng.choice((0.0, 0.15, 0.6)))
    if draw < 0.89:
        return copywriter.unknown(rng)
    return smalltalk.talk(rng) if draw < 0.95 else smalltalk.unknown(rng)


def examination(app: str, rng: Random) -> Example:
    """Draw one held-out example of an app: `phrasebook`, `helpdesk`, `reply` or `copywriter`."""
    if app == "phrasebook":
        return phrasebook.sentence(rng, rng.choice(LANGUAGES), held_out=True)
    if app == "copywriter":
        return copywriter.request(rng, held_out=True)
    return helpdesk.message(rng, held_out=True, reply=app == "reply")
