"""Names that could be taken for another app's."""

import re
from collections.abc import Iterable, Iterator

from caravan.findings import Finding

from marketplace.catalog.matching import normalised

# What people confuse at a glance, in digits, Cyrillic and Greek; each becomes the Latin letter.
ALIKE = str.maketrans(
    "01358|!$аеорсухіѕԁјһкмтвнαορνικτ",
    "olsebiisaeopcyxisdjhkmtbhaopvikt",
)
APART = re.compile(r"[\W_]+")
# Below this a single letter makes another word: “Chat” and “Chart”.
SHORTEST_NEAR = 6
RULE = "naming.alike"


def folded(name: str) -> str:
    """A name without what the eye passes over: `Phrase-B00k` becomes `phrasebook`."""
    return APART.sub("", normalised(name).translate(ALIKE)).replace("rn", "m").replace("vv", "w")


def is_near(one: str, other: str) -> bool:
    """Whether two folded names are equal, or long and one letter apart.

    One letter changed, left out or added: what comes before and after it together is the rest.
    """
    if one == other:
        return one != ""
    short, long = sorted((one, other), key=len)
    if len(short) < SHORTEST_NEAR or len(long) - len(short) > 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    rest = short[at + 1 :] if len(short) == len(long) else short[at:]
    return rest == long[at + 1 :]


def check_name(name: str, ident: str, others: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """A warning for each app of others (name, ident) that this one could be taken for."""
    for other_name, other_ident in others:
        if is_near(folded(other_name), folded(name)) or is_near(folded(other_ident), folded(ident)):
            yield Finding(
                RULE,
                "warning",
                f"“{name}” ({ident}) looks like “{other_name}” ({other_ident}).",
                "caravan.toml",
                fix="Choose a name and an id that nobody can take for another app's.",
            )
