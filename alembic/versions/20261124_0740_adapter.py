"""The blob of a release's LoRA adapter.

Revision ID: 20261124_adapter
Revises: 20261124_consent
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op

revision: str = "20261124_adapter"
down_revision: str | None = "20261124_consent"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("catalog_release") as table:
        table.add_column(sa.Column("adapter_key", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("catalog_release") as table:
        table.drop_column("adapter_key")
