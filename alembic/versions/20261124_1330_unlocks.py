"""Orders keep what their product opened when it was bought.

Revision ID: 20261124_unlocks
Revises: 20261124_shares
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op

revision: str = "20261124_unlocks"
down_revision: str | None = "20261124_shares"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

FILL = (
    "UPDATE billing_order SET unlocks = (SELECT p.unlocks FROM catalog_product AS p"
    " WHERE p.id = billing_order.product_id)"
)


def upgrade() -> None:
    with op.batch_alter_table("billing_order") as table:
        table.add_column(
            sa.Column("unlocks", sa.String(length=20), server_default="app", nullable=False)
        )
    op.execute(FILL)


def downgrade() -> None:
    with op.batch_alter_table("billing_order") as table:
        table.drop_column("unlocks")
