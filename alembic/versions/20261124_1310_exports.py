"""People's data on its way into files.

Revision ID: 20261124_exports
Revises: 20261124_looks
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.infra.types import UtcDateTime

revision: str = "20261124_exports"
down_revision: str | None = "20261124_looks"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "accounts_data_export",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "waiting",
                "ready",
                "failed",
                name="exportstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("file_bytes", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts_account.id"],
            name=op.f("fk_accounts_data_export_account_id_accounts_account"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts_data_export")),
        sa.UniqueConstraint("account_id", name=op.f("uq_accounts_data_export_account_id")),
    )


def downgrade() -> None:
    op.drop_table("accounts_data_export")
