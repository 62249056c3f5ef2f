"""Catalog tables: an app, its releases, what it sells, and its texts in other languages."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, Uuid
from sqlmodel import Field, SQLModel

from marketplace.infra.types import UtcDateTime, enum_column, json_column
from marketplace.kernel.errors import Conflict
from marketplace.kernel.ids import AccountId, AppId, ProductId, ReleaseId, new_id
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
    """One app, whatever its version. Its texts are those of the published release, in English."""

    __tablename__ = "catalog_app"
    __table_args__ = (Index("ix_catalog_app_listed", "state", "category", "run_count"),)

    id: AppId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    ident: str = Field(max_length=100, unique=True)
    owner_id: AccountId = Field(sa_type=Uuid, foreign_key="accounts_account.id", index=True)
    name: str = Field(max_length=40)
    summary: str = Field(max_length=100)
    description: str = ""
    category: str = Field(max_length=40)
    age: int = 18
    state: AppState = Field(default=AppState.HIDDEN, sa_type=enum_column(AppState))
    current_release_id: ReleaseId | None = Field(default=None, sa_type=Uuid)
    icon_key: str | None = Field(default=None, max_length=64)
    icon_type: str | None = Field(default=None, max_length=40)
    run_count: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    published_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Release(SQLModel, table=True):
    """One uploaded version of an app.

    `manifest` is caravan.toml as JSON and `listings` its texts by locale; `actions` is what the
    app said of itself in the sandbox. Blobs: `bundle_key` is the upload as it came, `code_key`
    its modules, compiled, and `icon_key` its icon. `verdict` has a reviewer's words.
    """

    __tablename__ = "catalog_release"
    __table_args__ = (
        UniqueConstraint("app_id", "version"),
        CheckConstraint("bundle_bytes > 0", name="bundle_not_empty"),
        Index("ix_catalog_release_state", "state", "created_at"),
    )

    id: ReleaseId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    app_id: AppId = Field(sa_type=Uuid, foreign_key="catalog_app.id")
    publisher_id: AccountId = Field(sa_type=Uuid, foreign_key="accounts_account.id")
    version: str = Field(max_length=32)
    manifest: dict[str, Any] = Field(default_factory=dict, sa_type=json_column())
    listings: dict[str, Any] = Field(default_factory=dict, sa_type=json_column())
    actions: dict[str, Any] = Field(default_factory=dict, sa_type=json_column())
    bundle_key: str = Field(max_length=64)
    bundle_bytes: int
    code_key: str | None = Field(default=None, max_length=64)
    icon_key: str | None = Field(default=None, max_length=64)
    state: ReleaseState = Field(default=ReleaseState.CHECKING, sa_type=enum_column(ReleaseState))
    state_changed_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    verdict: str = ""
    decided_by: AccountId | None = Field(default=None, sa_type=Uuid)

    def move_to(self, target: ReleaseState, *, now: datetime) -> None:
        """Move to `target` at `now` (aware UTC), or raise `IllegalMove` and change nothing."""
        if target not in NEXT_STATES[self.state]:
            raise IllegalMove(f"A release that is {self.state} cannot become {target}.")
        self.state, self.state_changed_at = target, now


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
