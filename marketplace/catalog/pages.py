"""What each page of the storefront shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marketplace.catalog.models import App
from marketplace.catalog.permissions import Asked
from marketplace.kernel.money import Money
from marketplace.kernel.paging import Page


@dataclass(frozen=True)
class Tile:
    """One app in a list.

    Args:
        price: what must be paid to run it, or None when it is free.
        rating: the plain average of its stars, None while nobody has rated.
        why: in words, why it stands where it stands; "" where that is plain.
    """

    ident: str
    name: str
    summary: str
    developer: str
    category: str
    price: Money | None
    rating: float | None = None
    rating_count: int = 0
    why: str = ""


@dataclass(frozen=True)
class CategoryLink:
    """One shelf of the store."""

    key: str
    name: str
    icon: str
    count: int


@dataclass(frozen=True)
class Home:
    """The first page."""

    featured: Sequence[Tile]
    new: Sequence[Tile]
    categories: Sequence[CategoryLink]


@dataclass(frozen=True)
class Filters:
    """What a list is narrowed to and ordered by, as its address says it.

    Args:
        price: `free`, `paid` or "" for both.
        rated: whether only well-rated apps are wanted.
        sort: `used`, `rated`, `new`, `trending`, or "" for what fits best.
    """

    category: str = ""
    price: str = ""
    rated: bool = False
    sort: str = ""


@dataclass(frozen=True)
class Shelf:
    """One category, every app, or the results of a search.

    Args:
        is_cut: whether more fit than are counted.
        meant: the words the query was taken for where it was mended, else "".
    """

    title: str
    query: str
    tiles: Page[Tile]
    categories: Sequence[CategoryLink]
    filters: Filters
    is_cut: bool = False
    meant: str = ""


@dataclass(frozen=True)
class Version:
    """One published version."""

    version: str
    published_at: datetime


@dataclass(frozen=True)
class AppPage:
    """One app.

    Args:
        is_translated: whether the texts are in the reader's language.
        panel: the run panel of `runs`, made by the callable that `app.py` hands in.
    """

    app: App
    name: str
    summary: str
    description: str
    is_translated: bool
    developer: str
    developer_id: str
    category: CategoryLink
    price: Money | None
    permissions: Sequence[Asked]
    versions: Sequence[Version]
    licence: str
    links: Sequence[tuple[str, str]]
    similar: Sequence[Tile]
    panel: Any


@dataclass(frozen=True)
class DeveloperPage:
    """One developer and their apps."""

    name: str
    tiles: Sequence[Tile]
