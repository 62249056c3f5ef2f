"""Things a small shop sells and writes about, shared by the copywriter and the helpdesk."""

# Product, with the family that decides which advert fits it.
PRODUCTS = {
    "food": """
olive oil; date honey; mint tea; roasted coffee; fig jam; lemon marmalade; almond biscuits; dark
chocolate; sourdough bread; goat cheese; apple juice; tomato sauce; spice mix; orange blossom syrup
""",
    "home": """
wool rug; ceramic bowl; linen cushion; reading lamp; wooden chair; oak table; beeswax candle; clay
teapot; cotton blanket; copper pan; flower vase; bath towel; picture frame; bread basket
""",
    "wear": """
leather bag; silk scarf; straw hat; winter coat; cotton shirt; travel pillow; wool poncho; leather
belt; rain jacket; linen dress; canvas backpack; leather wallet; knitted cap; silver ring
""",
    "tech": """
wireless speaker; smart watch; phone case; travel charger; desk speaker; solar lantern; laptop
stand; video doorbell; bike light; tablet sleeve; fitness tracker; pocket radio; alarm clock; webcam
""",
    "care": """
olive soap; rose cream; argan oil; hand balm; clay mask; lavender shampoo; lip balm; bath salt;
shaving cream; sun lotion; herbal toothpaste; face serum
""",
}


def _split(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split(";")]


FAMILIES = {name: _split(text) for name, text in PRODUCTS.items()}
FAMILY_OF = {thing: family for family, things in FAMILIES.items() for thing in things}
ALL_PRODUCTS = [thing for things in FAMILIES.values() for thing in things]

MATERIALS = _split("""
olive wood; recycled glass; organic cotton; merino wool; Moroccan leather; pure linen; stainless
steel; hand-thrown clay; bamboo fibre; recycled plastic; wild herbs; ripe figs; fresh lemons; sea
salt; raw silk; solid oak; brushed aluminium; natural wax; desert dates; mountain honey; roasted
almonds; cold-pressed oil; soft suede; woven straw; copper and brass; rose petals; shea butter;
cork; felt; organic flour
""")

BENEFITS = _split("""
keeps drinks warm for hours; lasts for many years; fits in any pocket; is gentle on the skin; dries
in minutes; saves energy; smells of summer; brings calm to the evening; makes mornings easier;
stays sharp; is easy to clean; keeps you dry in the rain; tastes like home; helps you sleep; folds
flat in seconds; charges in one hour; warms cold hands; keeps its colour; supports small farms; is
light to carry; makes every meal special; protects from the sun; softens with age; never slips;
works without plastic; brightens any room; gives clear sound; feels soft all day
""")

AUDIENCES = _split("""
young families; busy parents; students; travellers; cyclists; home cooks; tea lovers; gardeners;
office workers; runners; new parents; artists; musicians; campers; teachers; early risers; book
lovers; hikers; small kitchens; sensitive skin
""")

PRICES = (
    *(f"{{}} {currency}" for currency in ("euros", "dollars", "pounds", "dirhams", "EUR", "USD")),
    *("${}", "€{}", "{} €", "£{}"),
)
