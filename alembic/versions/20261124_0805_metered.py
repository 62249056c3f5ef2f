"""Units that runs counted for their people.

Revision ID: 20261124_metered
Revises: 20261124_adapter
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.infra.types import UtcDateTime

revision: str = "20261124_metered"
down_revision: str | None = "20261124_adapter"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

POINTS = (
    ("run_id", "runs_run"),
    ("app_id", "catalog_app"),
    ("person_id", "accounts_account"),
)


def upgrade() -> None:
    op.create_table(
        "runs_metered",
        sa.Column("id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Uuid(), nullable=False) for name, _table in POINTS),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("counted_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("n > 0", name=op.f("ck_runs_metered_something")),
        *(
            sa.ForeignKeyConstraint(
                [name], [f"{table}.id"], name=op.f(f"fk_runs_metered_{name}_{table}")
            )
            for name, table in POINTS
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs_metered")),
        sa.UniqueConstraint("run_id", "name", name=op.f("uq_runs_metered_run_id_name")),
    )
    op.create_index("ix_runs_metered_app", "runs_metered", ["app_id", "person_id", "counted_at"])


def downgrade() -> None:
    op.drop_table("runs_metered")
