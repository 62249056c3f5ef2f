"""What each page of the storefront shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marketplace.catalog.models import App, Cost
from marketplace.catalog.permissions import Asked
from marketplace.kernel.ids import CollectionId, RatingId
from marketplace.kernel.money import Money
from marketplace.kernel.paging import Page
from marketplace.web.i18n import Language


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
    """The first page.

    Args:
        used: what most people use.
        trending: what more people use this week than in the weeks before.
        loved: what people rate best.
        again: what the reader has run last, nothing for those who do not want it.
        own: rows that follow what the reader has run, likewise.
        hero: the collection that leads the page.
        collections: further ones.
    """

    used: Sequence[Tile]
    trending: Sequence[Tile]
    new: Sequence[Tile]
    loved: Sequence[Tile]
    categories: Sequence[CategoryLink]
    again: Sequence[Tile] = ()
    own: Sequence["OwnRow"] = ()
    hero: "CollectionCard | None" = None
    collections: Sequence["CollectionCard"] = ()


@dataclass(frozen=True)
class OwnRow:
    """Apps that stand on the first page because the reader ran another one.

    Args:
        because: the other one's name.
    """

    because: str
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class CollectionCard:
    """A collection and its apps, the first few of them in a list of collections."""

    key: str
    title: str
    lead: str
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class CollectionRow:
    """A collection as its editors see it in their list.

    Args:
        count: how many apps are in it, listed or not.
    """

    id: CollectionId
    key: str
    title: str
    is_hero: bool
    is_shown: bool
    count: int


@dataclass(frozen=True)
class CollectionForm:
    """The form in which a collection is written.

    Args:
        collection_id: None for one that is not made yet.
        languages: those of the store.
        values: fields as they are or as they were typed, by name.
        errors: sentence by field name.
    """

    collection_id: CollectionId | None
    languages: Sequence[Language]
    values: Mapping[str, str]
    errors: Mapping[str, str]


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
class Review:
    """What one person says about one version.

    Args:
        reason: why its writer's words are held or removed, "" while they are shown.
        is_mine: whether the reader wrote it.
        has_my_vote: whether the reader said that it helped.
    """

    id: RatingId
    author: str
    stars: int
    words: str
    locale: str
    version: str
    written_at: datetime
    helpful_count: int
    reply: str
    state: str
    reason: str = ""
    is_mine: bool = False
    has_my_vote: bool = False


@dataclass(frozen=True)
class Ratings:
    """What people think of an app, and what the reader may do about it.

    Args:
        average: the plain average, None while nobody has rated.
        histogram: (stars, how many), five stars first.
        mine: the reader's own rating of any version, the latest.
        may_rate: whether the reader has used the app and may rate its present version.
        may_reply: whether the reader is the app's developer.
    """

    average: float | None
    count: int
    histogram: Sequence[tuple[int, int]]
    reviews: Sequence[Review]
    mine: Review | None = None
    may_rate: bool = False
    may_reply: bool = False


@dataclass(frozen=True)
class ReviewsPage:
    """Every review of an app.

    Args:
        stars: only these, or 0 for all.
    """

    app: App
    name: str
    ratings: Ratings
    shown: Page[Review]
    stars: int


@dataclass(frozen=True)
class WaitingReview:
    """A review that an operator should read: it is held, or somebody flagged it.

    Args:
        flags: what was said against it, in words.
    """

    review: Review
    app_ident: str
    app_name: str
    flags: Sequence[str]


@dataclass(frozen=True)
class Version:
    """One published version; `changes` is what its developer says is new in it."""

    version: str
    published_at: datetime
    changes: str = ""


@dataclass(frozen=True)
class Beta:
    """The beta version of an app, and whether the reader gets it.

    Args:
        version: None where there is none at present.
    """

    version: Version | None
    is_mine: bool


@dataclass(frozen=True)
class Screenshot:
    """A picture of an app at work.

    Args:
        key: what names its content, for an address that may be kept for good.
        width, height: in pixels.
    """

    key: str
    width: int
    height: int
    caption: str

    @property
    def is_tall(self) -> bool:
        """Whether it is a telephone's picture, shown narrower than others."""
        return self.height > self.width


@dataclass(frozen=True)
class AppPage:
    """One app.

    Args:
        is_translated: whether the texts are in the reader's language.
        beta: where there is a beta version, or the reader has asked for them.
        cost: what the store measured, with the model it has had last; None until it has.
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
    beta: Beta | None
    screenshots: Sequence[Screenshot]
    cost: Cost | None
    licence: str
    links: Sequence[tuple[str, str]]
    similar: Sequence[Tile]
    ratings: Ratings
    panel: Any


@dataclass(frozen=True)
class DeveloperPage:
    """One developer and their apps."""

    name: str
    tiles: Sequence[Tile]
