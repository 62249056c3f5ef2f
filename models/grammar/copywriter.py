"""What the copywriter app asks, and the advert the facts should become."""

from dataclasses import dataclass, fields, replace
from random import Random

from models.grammar.example import Example, is_held_out, with_capital
from models.grammar.goods import ALL_PRODUCTS, AUDIENCES, BENEFITS, MATERIALS, PRICES
from models.grammar.unknown import FALLBACK, WORDS, pseudo_word, strange_phrase

SYSTEM = "Write a short advert from these facts alone: a headline, a text and a call to action."
TONES = ("warm", "bold", "plain")


@dataclass(frozen=True)
class Facts:
    """What the shop says about its product; the advert may say nothing else."""

    product: str
    material: str
    benefit: str
    audience: str
    price: str
    tone: str

    def prompt(self) -> str:
        """The message the copywriter app sends."""
        return (
            f"Product: {self.product}\nMade of: {self.material}\nBenefit: {self.benefit}\n"
            f"For: {self.audience}\nPrice: {self.price}\nTone: {self.tone}"
        )


# Only the tone decides the sentences, so an advert can be judged against its facts exactly.
ADVERTS = {
    "warm": (
        "## {Product}, made with love for {audience}\n\n"
        "Some things simply feel right. Our {product} is made of {material} and {benefit}. "
        "A small joy for {audience}, every day.\n\n"
        "**Bring it home today for {price}.**"
    ),
    "bold": (
        "## Meet the {product} that {benefit}\n\n"
        "No compromise. Just {material}, and the {product} that {benefit}. "
        "Built for {audience}.\n\n"
        "**Get yours now for only {price}!**"
    ),
    "plain": (
        "## {Product} for {audience}\n\n"
        "This {product} is made of {material}. It {benefit}. It costs {price}.\n\n"
        "**Order it here for {price}.**"
    ),
}


def advert(facts: Facts) -> str:
    """Write the advert these facts become."""
    values = {field.name: getattr(facts, field.name) for field in fields(facts)}
    return ADVERTS[facts.tone].format(Product=with_capital(facts.product), **values)


def _free_words(rng: Random, least: int, most: int) -> str:
    words = [
        rng.choice(WORDS) if rng.random() < 0.75 else pseudo_word(rng)
        for _ in range(rng.randint(least, most))
    ]
    return " ".join(words)


def _fact(rng: Random, known: list[str], freedom: float, prefix: str = "") -> str:
    if rng.random() >= freedom:
        return rng.choice(known)
    if rng.random() < 0.3:
        # A known ending under a new word teaches copying word by word.
        return f"{_free_words(rng, 1, 1)} {rng.choice(known).split()[-1]}"
    return prefix + _free_words(rng, 1, 3)


def _price(rng: Random) -> str:
    cents = f".{rng.choice((50, 90, 95, 99))}" if rng.random() < 0.2 else ""
    return rng.choice(PRICES).format(f"{rng.randint(2, 250)}{cents}")


def _facts(rng: Random, freedom: float) -> Facts:
    verbs = ("is", "makes", "keeps", "helps", "gives", "has", "saves", "brings")
    return Facts(
        product=_fact(rng, ALL_PRODUCTS, freedom),
        material=_fact(rng, MATERIALS, freedom),
        benefit=_fact(rng, BENEFITS, freedom, f"{rng.choice(verbs)} "),
        audience=_fact(rng, AUDIENCES, freedom),
        price=_price(rng),
        tone=rng.choice(TONES),
    )


def _key(facts: Facts) -> str:
    return f"copywriter:{facts.product}/{facts.material}/{facts.benefit}/{facts.tone}"


def _typed(facts: Facts, rng: Random) -> Facts:
    """Begin some facts with a capital, as people do in a form."""
    if rng.random() < 0.8:
        return facts
    return replace(
        facts,
        product=with_capital(facts.product),
        material=with_capital(facts.material),
        benefit=with_capital(facts.benefit),
        audience=with_capital(facts.audience),
    )


def request(rng: Random, *, held_out: bool, freedom: float = 0.0) -> Example:
    """Draw facts and their advert; `freedom` is the share of facts from outside the lexicon."""
    while True:
        facts = _facts(rng, freedom)
        key = _key(facts)
        if is_held_out(key) == held_out:
            return Example("copywriter", SYSTEM, _typed(facts, rng).prompt(), advert(facts), key)


def unknown(rng: Random) -> Example:
    """Draw a message that is not a list of facts."""
    return Example("fallback", SYSTEM, strange_phrase(rng), FALLBACK)
