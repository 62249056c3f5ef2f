"""What people and apps used in the last hour.

Revision ID: 20261124_use
Revises: 20261124_standing
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op

revision: str = "20261124_use"
down_revision: str | None = "20261124_standing"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

COUNTED = (
    "cpu_ms",
    "wall_ms",
    "memory_mb_s",
    "output_bytes",
    "host_calls",
    "llm_tokens",
    "kv_bytes",
    "egress_requests",
)


def upgrade() -> None:
    op.create_table(
        "runs_use",
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in COUNTED),
        sa.PrimaryKeyConstraint("party_id", "slot", name=op.f("pk_runs_use")),
    )


def downgrade() -> None:
    op.drop_table("runs_use")
