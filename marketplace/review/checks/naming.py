"""Names that could be taken for another app's."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from caravan.findings import Finding

# What people confuse at a glance; each is folded into the letter behind it.
ALIKE = str.maketrans("01358|!$", "olsebiis")
APART = re.compile(r"[^a-z0-9\u0600-\u06ff]+")


def folded(name: str) -> str:
    """A name without what the eye passes over: `Phrase-B00k` becomes `phrasebook`."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(c for c in plain if not unicodedata.combining(c))
    return APART.sub("", bare.translate(ALIKE)).replace("rn", "m").replace("vv", "w")


def check_name(name: str, ident: str, others: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """A warning for each other app (name, ident) that this one could be taken for."""
    for other_name, other_ident in others:
        if other_ident != ident and folded(other_name) == folded(name):
            yield Finding(
                "naming.alike",
                "warning",
                f"“{name}” looks like “{other_name}” ({other_ident}).",
                "caravan.toml",
                fix="Choose a name that nobody can take for another app.",
            )
