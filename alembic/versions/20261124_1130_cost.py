"""What a release's samples took on this host.

Revision ID: 20261124_cost
Revises: 20261124_timers
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.infra.types import UtcDateTime

revision: str = "20261124_cost"
down_revision: str | None = "20261124_timers"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

FIGURES = ("samples", "passed", "prompt_tokens", "generated_tokens", "total_ms")


def upgrade() -> None:
    op.create_table(
        "catalog_cost",
        sa.Column("release_id", sa.Uuid(), nullable=False),
        sa.Column("engine", sa.String(length=200), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in FIGURES),
        sa.Column("first_ms", sa.Integer(), nullable=True),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("measured_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["release_id"],
            ["catalog_release.id"],
            name=op.f("fk_catalog_cost_release_id_catalog_release"),
        ),
        sa.PrimaryKeyConstraint("release_id", "engine", name=op.f("pk_catalog_cost")),
    )


def downgrade() -> None:
    op.drop_table("catalog_cost")
