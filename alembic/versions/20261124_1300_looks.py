"""How a person sees the store, what advertisements may know, and when a browser was last here.

Revision ID: 20261124_looks
Revises: 20261124_channels
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.infra.types import UtcDateTime

revision: str = "20261124_looks"
down_revision: str | None = "20261124_channels"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("accounts_account") as table:
        table.add_column(sa.Column("theme", sa.String(length=8), nullable=True))
        table.add_column(
            sa.Column("ads_fit_app", sa.Boolean(), server_default=sa.true(), nullable=False)
        )
    with op.batch_alter_table("accounts_session") as table:
        table.add_column(sa.Column("last_seen_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("accounts_session") as table:
        table.drop_column("last_seen_at")
    with op.batch_alter_table("accounts_account") as table:
        table.drop_column("ads_fit_app")
        table.drop_column("theme")
