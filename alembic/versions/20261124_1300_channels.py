"""Beta releases, and the people who ask for them.

Revision ID: 20261124_channels
Revises: 20261124_collections
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.infra.types import UtcDateTime

revision: str = "20261124_channels"
down_revision: str | None = "20261124_collections"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("catalog_app", sa.Column("beta_release_id", sa.Uuid(), nullable=True))
    # In words, for only so does SQLite take the check along with a new column.
    op.execute(
        "ALTER TABLE catalog_release ADD COLUMN channel VARCHAR(32) DEFAULT 'stable' NOT NULL "
        "CONSTRAINT ck_catalog_release_channel CHECK (channel IN ('stable', 'beta'))"
    )
    op.create_table(
        "catalog_tester",
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("joined_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id"], ["catalog_app.id"], name=op.f("fk_catalog_tester_app_id_catalog_app")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["accounts_account.id"],
            name=op.f("fk_catalog_tester_person_id_accounts_account"),
        ),
        sa.PrimaryKeyConstraint("app_id", "person_id", name=op.f("pk_catalog_tester")),
    )


def downgrade() -> None:
    op.drop_table("catalog_tester")
    op.drop_column("catalog_release", "channel")
    op.drop_column("catalog_app", "beta_release_id")
