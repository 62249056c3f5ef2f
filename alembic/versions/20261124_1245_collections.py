"""Collections of apps, written by operators.

Revision ID: 20261124_collections
Revises: 20261124_own_rows
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.infra.types import UtcDateTime, json_column

revision: str = "20261124_collections"
down_revision: str | None = "20261124_own_rows"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "catalog_collection",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("texts", json_column(), nullable=False),
        sa.Column("is_hero", sa.Boolean(), nullable=False),
        sa.Column("is_shown", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_collection")),
        sa.UniqueConstraint("key", name=op.f("uq_catalog_collection_key")),
    )
    op.create_table(
        "catalog_collection_entry",
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["catalog_collection.id"],
            name=op.f("fk_catalog_collection_entry_collection_id_catalog_collection"),
        ),
        sa.ForeignKeyConstraint(
            ["app_id"],
            ["catalog_app.id"],
            name=op.f("fk_catalog_collection_entry_app_id_catalog_app"),
        ),
        sa.PrimaryKeyConstraint(
            "collection_id", "app_id", name=op.f("pk_catalog_collection_entry")
        ),
    )


def downgrade() -> None:
    op.drop_table("catalog_collection_entry")
    op.drop_table("catalog_collection")
