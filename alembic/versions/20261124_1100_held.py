"""The memory of the model that a run held.

Revision ID: 20261124_held
Revises: 20261124_screenshots
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op

revision: str = "20261124_held"
down_revision: str | None = "20261124_screenshots"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "runs_run",
        sa.Column("kv_token_ms", sa.BigInteger(), nullable=False, server_default="0"),
    )


def downgrade() -> None:
    op.drop_column("runs_run", "kv_token_ms")
