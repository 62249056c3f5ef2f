"""The shelves of the store."""

from collections.abc import Mapping

from marketplace.catalog.pages import CategoryLink
from marketplace.kernel.words import noted
from marketplace.web.i18n import gettext as _

# Key of the manifest → name and icon, in the order of the first page.
TABLE: Mapping[str, tuple[str, str]] = {
    "writing": (noted("Writing"), "feather"),
    "productivity": (noted("Productivity"), "list-checks"),
    "language": (noted("Languages"), "languages"),
    "business": (noted("Business"), "briefcase-business"),
    "learning": (noted("Learning"), "graduation-cap"),
    "travel": (noted("Travel"), "compass"),
    "fun": (noted("Fun"), "dices"),
    "developer": (noted("For developers"), "code-xml"),
}


def name(key: str) -> str:
    """A category's name in this request's language."""
    return _(TABLE[key][0]) if key in TABLE else key


def link(key: str, count: int = 0) -> CategoryLink:
    """One category as its link shows it."""
    return CategoryLink(key, name(key), TABLE[key][1] if key in TABLE else "tent", count)


def links(counts: Mapping[str, int]) -> list[CategoryLink]:
    """Every category that has an app."""
    return [link(key, counts[key]) for key in TABLE if counts.get(key)]
