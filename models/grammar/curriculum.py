"""The mixture the model is trained on, and the held-out sets it is examined on."""

from bisect import bisect_right
from random import Random

from models.grammar import copywriter, helpdesk, phrasebook, smalltalk
from models.grammar.example import Example

LANGUAGES = tuple(phrasebook.LANGUAGES)


# Where each kind of lesson ends, between 0 and 1: sentences, sayings and unknown texts of the
# phrasebook; sorting, replies and unknown texts of the helpdesk; adverts and what is none; talk.
Shares = tuple[float, float, float, float, float, float, float, float, float]
BROAD: Shares = (0.40, 0.45, 0.50, 0.63, 0.70, 0.715, 0.88, 0.89, 0.95)
# The phrasebook has the most words to learn, so the later lessons are mostly its own.
TRAVEL: Shares = (0.60, 0.66, 0.72, 0.79, 0.84, 0.855, 0.92, 0.93, 0.965)


def lesson(rng: Random, shares: Shares = BROAD) -> Example:
    """Draw one example to train on; held-out combinations never appear."""
    draw = rng.random()
    language = rng.choice(LANGUAGES)
    match bisect_right(shares, draw):
        case 0:
            return phrasebook.sentence(rng, language, held_out=False)
        case 1:
            return phrasebook.saying(rng, language)
        case 2:
            return phrasebook.unknown(rng, language)
        case 3:
            return helpdesk.message(rng, held_out=False, reply=False)
        case 4:
            return helpdesk.message(rng, held_out=False, reply=True)
        case 5:
            return helpdesk.unknown(rng, reply=rng.random() < 0.7)
        case 6:
            return copywriter.request(rng, held_out=False, freedom=rng.choice((0.0, 0.15, 0.6)))
        case 7:
            return copywriter.unknown(rng)
        case 8:
            return smalltalk.talk(rng)
    return smalltalk.unknown(rng)


def examination(app: str, rng: Random) -> Example:
    """Draw one held-out example of an app: `phrasebook`, `helpdesk`, `reply` or `copywriter`."""
    if app == "phrasebook":
        return phrasebook.sentence(rng, rng.choice(LANGUAGES), held_out=True)
    if app == "copywriter":
        return copywriter.request(rng, held_out=True)
    return helpdesk.message(rng, held_out=True, reply=app == "reply")
