"""Whether the first page may follow what a person has run.

Revision ID: 20261124_own_rows
Revises: 20261124_cost
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op

revision: str = "20261124_own_rows"
down_revision: str | None = "20261124_cost"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "accounts_account",
        sa.Column("has_own_rows", sa.Boolean(), nullable=False, server_default=sa.true()),
    )


def downgrade() -> None:
    op.drop_column("accounts_account", "has_own_rows")
