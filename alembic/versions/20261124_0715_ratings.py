"""Ratings, what helped, and what was flagged.

Revision ID: 20261124_ratings
Revises: 20261124_use
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.infra.types import UtcDateTime

revision: str = "20261124_ratings"
down_revision: str | None = "20261124_use"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def _state(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _points_at(column: str, table: str, here: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{table}.id"], name=op.f(f"fk_{here}_{column}_{table}")
    )


def upgrade() -> None:
    op.create_table(
        "catalog_rating",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("words", sa.String(2000), nullable=False),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("state", _state("ratingstate", "shown", "held", "removed"), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("helpful_count", sa.Integer(), nullable=False),
        sa.Column("reply", sa.String(2000), nullable=False),
        sa.Column("replied_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("changed_at", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "stars BETWEEN 1 AND 5", name=op.f("ck_catalog_rating_stars_one_to_five")
        ),
        _points_at("app_id", "catalog_app", "catalog_rating"),
        _points_at("person_id", "accounts_account", "catalog_rating"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_rating")),
        sa.UniqueConstraint(
            "app_id",
            "person_id",
            "version",
            name=op.f("uq_catalog_rating_app_id_person_id_version"),
        ),
    )
    op.create_index(op.f("ix_catalog_rating_person_id"), "catalog_rating", ["person_id"])
    op.create_index(
        "ix_catalog_rating_shown", "catalog_rating", ["app_id", "is_current", "state", "stars"]
    )
    op.create_index("ix_catalog_rating_recent", "catalog_rating", ["app_id", "changed_at"])
    op.create_index("ix_catalog_rating_state", "catalog_rating", ["state", "changed_at"])
    op.create_table(
        "catalog_helpful_vote",
        sa.Column("rating_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        _points_at("rating_id", "catalog_rating", "catalog_helpful_vote"),
        _points_at("person_id", "accounts_account", "catalog_helpful_vote"),
        sa.PrimaryKeyConstraint("rating_id", "person_id", name=op.f("pk_catalog_helpful_vote")),
    )
    op.create_table(
        "catalog_rating_flag",
        sa.Column("rating_id", sa.Uuid(), nullable=False),
        sa.Column("reporter_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("verdict", _state("flagverdict", "open", "upheld", "rejected"), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        _points_at("rating_id", "catalog_rating", "catalog_rating_flag"),
        _points_at("reporter_id", "accounts_account", "catalog_rating_flag"),
        sa.PrimaryKeyConstraint("rating_id", "reporter_id", name=op.f("pk_catalog_rating_flag")),
    )
    op.create_index(
        "ix_catalog_rating_flag_reporter", "catalog_rating_flag", ["reporter_id", "created_at"]
    )


def downgrade() -> None:
    op.drop_table("catalog_rating_flag")
    op.drop_table("catalog_helpful_vote")
    op.drop_table("catalog_rating")
