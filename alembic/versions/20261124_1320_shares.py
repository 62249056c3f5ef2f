"""Links under which people show their runs.

Revision ID: 20261124_shares
Revises: 20261124_exports
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.infra.types import UtcDateTime

revision: str = "20261124_shares"
down_revision: str | None = "20261124_exports"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "runs_share",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("shows_input", sa.Boolean(), nullable=False),
        sa.Column("shared_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs_run.id"], name=op.f("fk_runs_share_run_id_runs_run")
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs_share")),
        sa.UniqueConstraint("token", name=op.f("uq_runs_share_token")),
    )


def downgrade() -> None:
    op.drop_table("runs_share")
