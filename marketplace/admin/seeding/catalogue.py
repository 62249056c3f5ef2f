"""Makes up apps, people, uses and reviews: the same for the same numbers. Pure."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

WORDS = Path(__file__).with_name("words.toml")
FIRST_DAY_BEFORE = 720
USED_DAYS = 60
SHARE_FREE = 0.72
PRICES_MICROS = (990_000, 1_990_000, 2_990_000, 4_990_000, 9_990_000, 19_000_000)
AGES = (3, 3, 3, 7, 12, 16)
USES_AN_APP = 7
STEEPNESS = 0.9
SHARE_OF_RATERS = 0.16
SHARE_WITH_WORDS = 0.7
PEOPLE = (60, 20_000)
APPS_A_DEVELOPER = 12


@dataclass(frozen=True)
class Text:
    """An app's listing in one language."""

    name: str
    summary: str
    description: str


@dataclass(frozen=True)
class Review:
    """What one person thinks of an app."""

    person: int
    stars: int
    locale: str
    words: str
    day: date
    reply: str


@dataclass(frozen=True)
class MadeApp:
    """One app and its life so far.

    Args:
        versions: number and day, oldest first.
        uses: (person, day) of each day on which a person used it.
    """

    ident: str
    category: str
    english: Text
    arabic: Text
    developer: int
    licence: str
    age: int
    price_micros: int | None
    versions: Sequence[tuple[str, date]]
    uses: Sequence[tuple[int, date]]
    reviews: Sequence[Review]


@cache
def vocabulary() -> Mapping[str, Any]:
    """The words everything is written with."""
    return tomllib.loads(WORDS.read_text())


def most_apps() -> int:
    """How many apps can be told apart by their names."""
    words = vocabulary()
    return len(words["things"]) * len(words["brands"]) * (1 + len(words["audiences"]))


def people_count(apps: int) -> int:
    """How many people use a store of this size."""
    return min(PEOPLE[1], max(PEOPLE[0], apps // 4))


def developers(apps: int, draw: Random) -> list[str]:
    """The names of those who publish: people, and small houses."""
    words = vocabulary()
    return [
        f"{draw.choice(words['brands'])[0]} {draw.choice(words['houses'])}"
        if draw.random() < 0.4
        else person_name(draw)
        for _ in range(max(3, apps // APPS_A_DEVELOPER))
    ]


def person_name(draw: Random) -> str:
    """A first and a last name of one script."""
    words = vocabulary()
    first = draw.choice(words["first_names"])
    fitting = [name for name in words["last_names"] if name.isascii() == first.isascii()]
    return f"{first} {draw.choice(fitting)}"


def apps(count: int, *, seed: int, today: date) -> Iterator[MadeApp]:
    """The first `count` apps; a larger catalogue of the same seed has other ones."""
    draw = Random(seed)  # noqa: S311  (made-up apps, no secrets)
    words = vocabulary()
    people, makers = people_count(count), len(developers(count, Random(seed)))  # noqa: S311
    popularity = _popularity(count, people, draw)
    combinations = islice(_combinations(draw), count)
    for rank, (thing, brand, audience) in zip(popularity, combinations, strict=True):
        english, arabic = _texts(thing, brand, audience, draw)
        tail = f"-for-{audience[0]}" if audience else ""
        versions = _versions(today, draw)
        uses = _uses(rank, people, versions[0][1], today, draw)
        yield MadeApp(
            ident=f"{_slug(brand[0])}.{thing[1]}{tail}",
            category=thing[0],
            english=english,
            arabic=arabic,
            developer=draw.randrange(makers),
            licence=draw.choice(words["licences"]),
            age=draw.choice(AGES),
            price_micros=None if draw.random() < SHARE_FREE else draw.choice(PRICES_MICROS),
            versions=versions,
            uses=uses,
            reviews=_reviews(uses, draw),
        )


def _combinations(draw: Random) -> Iterator[tuple[Sequence[str], Sequence[str], Sequence[str]]]:
    """Thing, brand and audience, each once: names for everybody first, then for somebody."""
    words = vocabulary()
    for audience in ((), *words["audiences"]):
        pairs = [(thing, brand) for thing in words["things"] for brand in words["brands"]]
        draw.shuffle(pairs)
        yield from ((thing, brand, audience) for thing, brand in pairs)


def _slug(brand: str) -> str:
    return brand.lower().replace(" ", "-")


def _popularity(count: int, people: int, draw: Random) -> list[int]:
    """How many people use each app: few have many, by a power of the rank (Zipf's law)."""
    weights = [1 / (rank + 3) ** STEEPNESS for rank in range(count)]
    scale = USES_AN_APP * count / sum(weights)
    sizes = [min(int(people * 0.6), int(weight * scale + draw.random())) for weight in weights]
    draw.shuffle(sizes)
    return sizes


def _texts(
    thing: Sequence[str], brand: Sequence[str], audience: Sequence[str], draw: Random
) -> tuple[Text, Text]:
    words = vocabulary()
    how = draw.sample(words["how"], 2)
    gives = draw.sample(words["gives"], 3)
    closing = draw.choice(words["closings"])
    names = (
        " ".join([brand[0], thing[2], *audience[1:2]]),
        " ".join([thing[3], brand[1], *audience[2:3]]),
    )
    made = []
    for language, name in enumerate(names):
        does = thing[4 + language]
        paragraphs = (
            " ".join(pair[language] for pair in how),
            "\n".join(f"- {pair[language]}" for pair in gives),
            closing[language],
        )
        made.append(Text(name, does, "\n\n".join((does, *paragraphs))))
    return made[0], made[1]


def _versions(today: date, draw: Random) -> list[tuple[str, date]]:
    # Most of a store is not new: the square of a draw crowds towards the long past.
    age = 1 + int(FIRST_DAY_BEFORE * (1 - draw.random() ** 2))
    numbers = ["1.0.0", "1.1.0", "1.2.0", "2.0.0"][: draw.choice((1, 1, 2, 3, 4))]
    days = sorted({draw.randint(1, age) for _ in numbers[1:]} | {age}, reverse=True)
    return [
        (number, today - timedelta(days=before))
        for number, before in zip(numbers, days, strict=False)
    ]


def _uses(
    people: int, all_people: int, first_day: date, today: date, draw: Random
) -> list[tuple[int, date]]:
    """Who used it when: some apps fade, some rise, most stay as they are."""
    days = min(USED_DAYS, (today - first_day).days)
    lean = draw.choice((0.6, 1.0, 1.0, 1.0, 1.0, 2.5))
    return [
        (person, today - timedelta(days=int(days * draw.random() ** lean)))
        for person in draw.sample(range(all_people), min(people, all_people))
    ]


def _reviews(uses: Sequence[tuple[int, date]], draw: Random) -> list[Review]:
    words = vocabulary()
    quality = draw.betavariate(6, 2)
    reviews = []
    for person, day in uses:
        if draw.random() >= SHARE_OF_RATERS:
            continue
        stars = max(1, min(5, round(draw.gauss(1 + 4 * quality, 0.9))))
        said = draw.choice([each for each in words["reviews"] if each[0] == stars])
        has_words = draw.random() < SHARE_WITH_WORDS
        reply = ""
        if has_words and stars <= 3 and draw.random() < 0.3:
            reply = draw.choice(words["replies"])[said[1] == "ar"]
        reviews.append(Review(person, stars, said[1], said[2] if has_words else "", day, reply))
    return reviews
