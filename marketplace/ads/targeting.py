"""Where and when a flight may be shown. Pure: it knows the app and the language, no person."""

from dataclasses import dataclass
from datetime import datetime

# Advertising in apps that younger children may use is not worth the risk to them.
YOUNGEST = 13


@dataclass(frozen=True)
class Place:
    """What is known of one slot when an advertisement is chosen for it.

    Args:
        category: the app's category; "" where it may not be used.
        locale: language tag of the run, such as `en` or `ar-EG`.
        age: the youngest the app is meant for.
    """

    category: str
    locale: str
    age: int


@dataclass(frozen=True)
class Target:
    """What a flight asks for; an empty set asks for nothing.

    Args:
        starts_at: aware instant from which it runs.
        ends_at: aware instant at which it no longer does.
    """

    categories: frozenset[str]
    locales: frozenset[str]
    starts_at: datetime
    ends_at: datetime


def language(locale: str) -> str:
    """The language of a tag: `ar` of `ar-EG`."""
    return locale.replace("_", "-").split("-")[0].lower()


def may_advertise(place: Place) -> bool:
    """Whether this app may show advertisements at all."""
    return place.age >= YOUNGEST


def matches(target: Target, place: Place, *, now: datetime) -> bool:
    """Whether the flight may be shown here and now."""
    return (
        may_advertise(place)
        and target.starts_at <= now < target.ends_at
        and (not target.categories or place.category in target.categories)
        and (not target.locales or language(place.locale) in map(language, target.locales))
    )
