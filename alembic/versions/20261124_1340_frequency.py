"""How often an advertisement was offered to a person on a day.

Revision ID: 20261124_frequency
Revises: 20261124_unlocks
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op

revision: str = "20261124_frequency"
down_revision: str | None = "20261124_unlocks"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "ads_frequency",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("flight_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["flight_id"], ["ads_flight.id"], name=op.f("fk_ads_frequency_flight_id_ads_flight")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["accounts_account.id"],
            name=op.f("fk_ads_frequency_person_id_accounts_account"),
        ),
        sa.PrimaryKeyConstraint("person_id", "flight_id", "day", name=op.f("pk_ads_frequency")),
    )


def downgrade() -> None:
    op.drop_table("ads_frequency")
