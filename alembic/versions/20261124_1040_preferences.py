"""What people set for apps, and secret inputs sealed while a run is not over.

Revision ID: 20261124_preferences
Revises: 20261124_reports
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.infra.types import UtcDateTime, json_column

revision: str = "20261124_preferences"
down_revision: str | None = "20261124_reports"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

POINTS = (("person_id", "accounts_account"), ("app_id", "catalog_app"))


def upgrade() -> None:
    """Add the table, and the column beside a run's input."""
    op.create_table(
        "runs_preferences",
        *(sa.Column(name, sa.Uuid(), nullable=False) for name, _table in POINTS),
        sa.Column("given", json_column(), nullable=False),
        sa.Column("secrets", json_column(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        *(
            sa.ForeignKeyConstraint(
                [name], [f"{table}.id"], name=op.f(f"fk_runs_preferences_{name}_{table}")
            )
            for name, table in POINTS
        ),
        sa.PrimaryKeyConstraint("person_id", "app_id", name=op.f("pk_runs_preferences")),
    )
    with op.batch_alter_table("runs_run") as table:
        table.add_column(sa.Column("sealed_input", sa.String(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("runs_run") as table:
        table.drop_column("sealed_input")
    op.drop_table("runs_preferences")
