"""Catalog tables: an app, its releases, what it sells, its texts, and who used it when."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, Uuid
from sqlmodel import Field, SQLModel

from marketplace.catalog.models_meaning import Meaning  # noqa: F401  (its table)
from marketplace.catalog.ranking import MIDDLE
from marketplace.infra.personal import Tie, tie
from marketplace.infra.types import UtcDateTime, enum_column, json_column
from marketplace.kernel.errors import Conflict
from marketplace.kernel.ids import (
    AccountId,
    AppId,
    CollectionId,
    ProductId,
    RatingId,
    ReleaseId,
    new_id,
)
from marketplace.kernel.money import Money


class AppState(StrEnum):
    """Whether people can find an app."""

    HIDDEN = "hidden"
    LISTED = "listed"
    BLOCKED = "blocked"


class ReleaseState(StrEnum):
    """Where a release stands on its way to the store."""

    CHECKING = "checking"
    IN_REVIEW = "in_review"
    PUBLISHED = "published"
    REJECTED = "rejected"


class Channel(StrEnum):
    """Who gets a release: everybody, or those who asked for what is not finished yet."""

    STABLE = "stable"
    BETA = "beta"


NEXT_STATES: Mapping[ReleaseState, frozenset[ReleaseState]] = {
    ReleaseState.CHECKING: frozenset({ReleaseState.IN_REVIEW, ReleaseState.REJECTED}),
    ReleaseState.IN_REVIEW: frozenset({ReleaseState.PUBLISHED, ReleaseState.REJECTED}),
    ReleaseState.PUBLISHED: frozenset(),
    ReleaseState.REJECTED: frozenset(),
}


def number_of(version: str) -> tuple[int, ...]:
    """A version as numbers that compare: 1.10.0 is above 1.9.0."""
    return tuple(int(part) for part in version.split("."))


class IllegalMove(Conflict):
    """A release cannot go from its present state to the one asked for."""


class App(SQLModel, table=True):
    """One app, whatever its version. Its texts are those of the published release, in English.

    What lists are ordered by stands here too: `score`, `rating_score` and `trend` come from
    `catalog.ranking`, `search_row` is the number search files it under, and the price is that
    of the cheapest product that opens it. `blocked_reason` tells its developer why it was taken
    down, "" unless it is BLOCKED. `beta_release_id` is the beta version above the current one.
    """

    __tablename__ = "catalog_app"
    __table_args__ = (
        Index("ix_catalog_app_shelf", "state", "category", "score"),
        Index("ix_catalog_app_score", "state", "score"),
        Index("ix_catalog_app_trend", "state", "trend"),
        Index("ix_catalog_app_rated", "state", "rating_score"),
        Index("ix_catalog_app_new", "state", "published_at"),
        # Holds all that the store's average rating needs.
        Index("ix_catalog_app_ratings", "state", "rating_count", "rating_total"),
    )

    id: AppId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    ident: str = Field(max_length=100, unique=True)
    owner_id: AccountId = Field(
        sa_type=Uuid,
        foreign_key="accounts_account.id",
        index=True,
        sa_column_kwargs=tie(Tie.SHARED),
    )
    name: str = Field(max_length=40)
    summary: str = Field(max_length=100)
    description: str = ""
    category: str = Field(max_length=40)
    age: int = 18
    state: AppState = Field(default=AppState.HIDDEN, sa_type=enum_column(AppState))
    current_release_id: ReleaseId | None = Field(
        default=None, sa_type=Uuid, sa_column_kwargs=tie(Tie.NOBODY)
    )
    beta_release_id: ReleaseId | None = Field(
        default=None, sa_type=Uuid, sa_column_kwargs=tie(Tie.NOBODY)
    )
    icon_key: str | None = Field(default=None, max_length=64)
    icon_type: str | None = Field(default=None, max_length=40)
    run_count: int = 0
    people_count: int = 0
    rating_count: int = 0
    rating_total: int = 0
    rating_score: float = MIDDLE
    trend: float = 0.0
    score: float = 1.0
    search_row: int | None = Field(default=None, sa_type=BigInteger, unique=True)
    blocked_reason: str = Field(default="", max_length=2000)
    price_micros: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = Field(default=None, max_length=3)
    created_at: datetime = Field(sa_type=UtcDateTime)
    published_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    @property
    def price(self) -> Money | None:
        """What must be paid to run it, or None when it is free."""
        if self.price_micros is None or self.currency is None:
            return None
        return Money(self.price_micros, self.currency)


class Release(SQLModel, table=True):
    """One uploaded version of an app.

    `manifest` is caravan.toml as JSON and `listings` its texts by locale; `actions` is what the
    app said of itself in the sandbox. Blobs: `bundle_key` is the upload as it came, `code_key`
    its modules, compiled, `icon_key` its icon and `adapter_key` its LoRA. `screenshots` are
    pictures that we drew: key, width, height and captions by locale. `verdict` has a
    reviewer's words.
    """

    __tablename__ = "catalog_release"
    __table_args__ = (
        UniqueConstraint("app_id", "version"),
        CheckConstraint("bundle_bytes > 0", name="bundle_not_empty"),
        Index("ix_catalog_release_state", "state", "created_at"),
    )

    id: ReleaseId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    app_id: AppId = Field(sa_type=Uuid, foreign_key="catalog_app.id")
    publisher_id: AccountId = Field(
        sa_type=Uuid, foreign_key="accounts_account.id", sa_column_kwargs=tie(Tie.SHARED)
    )
    version: str = Field(max_length=32)
    channel: Channel = Field(default=Channel.STABLE, sa_type=enum_column(Channel))
    manifest: dict[str, Any] = Field(default_factory=dict, sa_type=json_column())
    listings: dict[str, Any] = Field(default_factory=dict, sa_type=json_column())
    actions: dict[str, Any] = Field(default_factory=dict, sa_type=json_column())
    bundle_key: str = Field(max_length=64)
    bundle_bytes: int
    code_key: str | None = Field(default=None, max_length=64)
    icon_key: str | None = Field(default=None, max_length=64)
    adapter_key: str | None = Field(default=None, max_length=64)
    screenshots: list[dict[str, Any]] = Field(default_factory=list, sa_type=json_column())
    state: ReleaseState = Field(default=ReleaseState.CHECKING, sa_type=enum_column(ReleaseState))
    state_changed_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    verdict: str = ""
    decided_by: AccountId | None = Field(
        default=None, sa_type=Uuid, sa_column_kwargs=tie(Tie.ACTED)
    )

    def move_to(self, target: ReleaseState, *, now: datetime) -> None:
        """Move to `target` at `now` (aware UTC), or raise `IllegalMove` and change nothing."""
        if target not in NEXT_STATES[self.state]:
            raise IllegalMove(f"A release that is {self.state} cannot become {target}.")
        self.state, self.state_changed_at = target, now


class Tester(SQLModel, table=True):
    """That one person has asked for the beta versions of one app."""

    __tablename__ = "catalog_tester"

    app_id: AppId = Field(primary_key=True, sa_type=Uuid, foreign_key="catalog_app.id")
    person_id: AccountId = Field(
        primary_key=True,
        sa_type=Uuid,
        foreign_key="accounts_account.id",
        sa_column_kwargs=tie(Tie.OWN),
    )
    joined_at: datetime = Field(sa_type=UtcDateTime)


class Product(SQLModel, table=True):
    """Something an app sells; `unlocks` is `app` (needed to run it) or `feature`."""

    __tablename__ = "catalog_product"
    __table_args__ = (
        UniqueConstraint("app_id", "key"),
        CheckConstraint("price_micros > 0", name="price_positive"),
    )

    id: ProductId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    app_id: AppId = Field(sa_type=Uuid, foreign_key="catalog_app.id")
    key: str = Field(max_length=40)
    kind: str = Field(default="one_time", max_length=20)
    name: str = Field(max_length=40)
    price_micros: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    unlocks: str = Field(default="app", max_length=20)
    active: bool = True

    @property
    def price(self) -> Money:
        """What it costs."""
        return Money(self.price_micros, self.currency)


class ListingText(SQLModel, table=True):
    """An app's texts in one further language."""

    __tablename__ = "catalog_listing_text"
    __table_args__ = (UniqueConstraint("app_id", "locale"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    app_id: AppId = Field(sa_type=Uuid, foreign_key="catalog_app.id")
    locale: str = Field(max_length=16)
    name: str = Field(max_length=40)
    summary: str = Field(max_length=100)
    description: str = ""


class RatingState(StrEnum):
    """Whether people see a rating. A held one waits for an operator and does not count."""

    SHOWN = "shown"
    HELD = "held"
    REMOVED = "removed"


class FlagVerdict(StrEnum):
    """What an operator made of a flag."""

    OPEN = "open"
    UPHELD = "upheld"
    REJECTED = "rejected"


class Rating(SQLModel, table=True):
    """What one person thinks of one version of an app; the last one they gave is current.

    `reason` says, in words for its writer, why it is held or was removed.
    """

    __tablename__ = "catalog_rating"
    __table_args__ = (
        UniqueConstraint("app_id", "person_id", "version"),
        CheckConstraint("stars BETWEEN 1 AND 5", name="stars_one_to_five"),
        Index("ix_catalog_rating_shown", "app_id", "is_current", "state", "stars"),
        Index("ix_catalog_rating_recent", "app_id", "changed_at"),
        Index("ix_catalog_rating_state", "state", "changed_at"),
    )

    id: RatingId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    app_id: AppId = Field(sa_type=Uuid, foreign_key="catalog_app.id")
    person_id: AccountId = Field(
        sa_type=Uuid, foreign_key="accounts_account.id", index=True, sa_column_kwargs=tie(Tie.OWN)
    )
    version: str = Field(max_length=32)
    stars: int
    words: str = Field(default="", max_length=2000)
    locale: str = Field(default="en", max_length=16)
    is_current: bool = True
    state: RatingState = Field(default=RatingState.SHOWN, sa_type=enum_column(RatingState))
    reason: str = ""
    decided_by: AccountId | None = Field(
        default=None, sa_type=Uuid, sa_column_kwargs=tie(Tie.ACTED)
    )
    helpful_count: int = 0
    reply: str = Field(default="", max_length=2000)
    replied_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)


class HelpfulVote(SQLModel, table=True):
    """That a rating helped one person."""

    __tablename__ = "catalog_helpful_vote"

    rating_id: RatingId = Field(primary_key=True, sa_type=Uuid, foreign_key="catalog_rating.id")
    person_id: AccountId = Field(
        primary_key=True,
        sa_type=Uuid,
        foreign_key="accounts_account.id",
        sa_column_kwargs=tie(Tie.OWN),
    )


class RatingFlag(SQLModel, table=True):
    """That one person says a rating should not be shown."""

    __tablename__ = "catalog_rating_flag"
    __table_args__ = (Index("ix_catalog_rating_flag_reporter", "reporter_id", "created_at"),)

    rating_id: RatingId = Field(primary_key=True, sa_type=Uuid, foreign_key="catalog_rating.id")
    reporter_id: AccountId = Field(
        primary_key=True,
        sa_type=Uuid,
        foreign_key="accounts_account.id",
        sa_column_kwargs=tie(Tie.OWN),
    )
    kind: str = Field(max_length=20)
    verdict: FlagVerdict = Field(default=FlagVerdict.OPEN, sa_type=enum_column(FlagVerdict))
    created_at: datetime = Field(sa_type=UtcDateTime)


class Use(SQLModel, table=True):
    """That one person ran one app to its end on one day (UTC), and how often.

    It is what rating, trends and personal rows rest on. The developer's own runs are not in it.
    """

    __tablename__ = "catalog_use"
    __table_args__ = (
        Index("ix_catalog_use_day", "day", "app_id", "person_id"),
        Index("ix_catalog_use_person", "person_id", "day"),
    )

    app_id: AppId = Field(primary_key=True, sa_type=Uuid, foreign_key="catalog_app.id")
    person_id: AccountId = Field(
        primary_key=True,
        sa_type=Uuid,
        foreign_key="accounts_account.id",
        sa_column_kwargs=tie(Tie.OWN),
    )
    day: date = Field(primary_key=True)
    times: int = 1


class Cost(SQLModel, table=True):
    """What one release's samples took when this store ran them itself, with one default model.

    The figures are medians of the samples that ended well: tokens, milliseconds, bytes.

    Args:
        engine: the name of the store's model when it was measured, "" without one.
        model: the one that answered, None where the app asked none.
        samples: how many were run; `passed` gave what their developer promises.
        first_ms: until the first words came, None where there were none.
    """

    __tablename__ = "catalog_cost"

    release_id: ReleaseId = Field(primary_key=True, sa_type=Uuid, foreign_key="catalog_release.id")
    engine: str = Field(primary_key=True, max_length=200)
    model: str | None = Field(default=None, max_length=200)
    samples: int = 0
    passed: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    first_ms: int | None = None
    total_ms: int = 0
    memory_bytes: int = Field(default=0, sa_type=BigInteger)
    measured_at: datetime = Field(sa_type=UtcDateTime)


class Collection(SQLModel, table=True):
    """Apps that an operator has chosen and put in order, under a title of their own.

    `texts` has `title` and `lead` by locale; English is always there. The hero, one at most,
    leads the first page; one that is not shown can be prepared in peace.
    """

    __tablename__ = "catalog_collection"

    id: CollectionId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    key: str = Field(max_length=60, unique=True)
    texts: dict[str, dict[str, str]] = Field(default_factory=dict, sa_type=json_column())
    is_hero: bool = False
    is_shown: bool = True
    position: int = 0
    changed_at: datetime = Field(sa_type=UtcDateTime)


class CollectionEntry(SQLModel, table=True):
    """That an app stands in a collection, and where."""

    __tablename__ = "catalog_collection_entry"

    collection_id: CollectionId = Field(
        primary_key=True, sa_type=Uuid, foreign_key="catalog_collection.id"
    )
    app_id: AppId = Field(primary_key=True, sa_type=Uuid, foreign_key="catalog_app.id")
    position: int = 0
