"""What apps mean, as vectors, for search.

Revision ID: 20261124_meaning
Revises: 20261124_frequency
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.infra.types import UtcDateTime

revision: str = "20261124_meaning"
down_revision: str | None = "20261124_frequency"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "catalog_meaning",
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id"], ["catalog_app.id"], name=op.f("fk_catalog_meaning_app_id_catalog_app")
        ),
        sa.PrimaryKeyConstraint("app_id", "model", "locale", name=op.f("pk_catalog_meaning")),
    )
    op.create_index(op.f("ix_catalog_meaning_made_at"), "catalog_meaning", ["made_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_catalog_meaning_made_at"), table_name="catalog_meaning")
    op.drop_table("catalog_meaning")
