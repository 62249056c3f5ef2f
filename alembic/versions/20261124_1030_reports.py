"""Reports about apps, and why an app was taken down.

Revision ID: 20261124_reports
Revises: 20261124_metered
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.infra.types import UtcDateTime

revision: str = "20261124_reports"
down_revision: str | None = "20261124_metered"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

POINTS = (("app_id", "catalog_app"), ("reporter_id", "accounts_account"))


def upgrade() -> None:
    op.add_column(
        "catalog_app",
        sa.Column("blocked_reason", sa.String(length=2000), nullable=False, server_default=""),
    )
    op.create_table(
        "review_app_report",
        *(sa.Column(name, sa.Uuid(), nullable=False) for name, _table in POINTS),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("words", sa.String(length=2000), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        *(
            sa.ForeignKeyConstraint(
                [name], [f"{table}.id"], name=op.f(f"fk_review_app_report_{name}_{table}")
            )
            for name, table in POINTS
        ),
        sa.PrimaryKeyConstraint("app_id", "reporter_id", name=op.f("pk_review_app_report")),
    )
    op.create_index("ix_review_app_report_open", "review_app_report", ["decided_at", "created_at"])


def downgrade() -> None:
    op.drop_table("review_app_report")
    op.drop_column("catalog_app", "blocked_reason")
