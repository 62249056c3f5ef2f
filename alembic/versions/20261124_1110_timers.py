"""Schedules that people have switched on, and which runs they started.

Revision ID: 20261124_timers
Revises: 20261124_held
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.infra.types import UtcDateTime

revision: str = "20261124_timers"
down_revision: str | None = "20261124_held"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

REASONS = (
    "failed",
    "changed",
    "gone",
    "needs_input",
    "not_bought",
    "not_allowed",
    "not_set_up",
)
POINTS = (("person_id", "accounts_account"), ("app_id", "catalog_app"), ("run_id", "runs_run"))


def upgrade() -> None:
    """Add the table, and the column that tells such runs apart."""
    op.create_table(
        "runs_timer",
        sa.Column("id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Uuid(), nullable=name == "run_id") for name, _table in POINTS),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("every_s", sa.Integer(), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column(
            "stopped",
            sa.Enum(
                *REASONS, name="stopreason", native_enum=False, create_constraint=True, length=32
            ),
            nullable=True,
        ),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        *(
            sa.ForeignKeyConstraint(
                [name], [f"{table}.id"], name=op.f(f"fk_runs_timer_{name}_{table}")
            )
            for name, table in POINTS
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs_timer")),
        sa.UniqueConstraint(
            "person_id", "app_id", "action", name=op.f("uq_runs_timer_person_id_app_id_action")
        ),
    )
    op.create_index("ix_runs_timer_next_at", "runs_timer", ["next_at"])
    with op.batch_alter_table("runs_run") as table:
        table.add_column(
            sa.Column("is_scheduled", sa.Boolean(), server_default=sa.false(), nullable=False)
        )


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("runs_run") as table:
        table.drop_column("is_scheduled")
    op.drop_table("runs_timer")
