"""Every table of the first release.

Revision ID: 20261123_first
Revises:
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.billing import seal
from marketplace.catalog import search
from marketplace.infra.types import UtcDateTime, json_column

revision: str = "20261123_first"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "accounts_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("is_developer", sa.Boolean(), nullable=False),
        sa.Column("is_operator", sa.Boolean(), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("is_closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
    )
    op.create_table(
        "accounts_setup_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("adds_another", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret_hash"),
    )
    op.create_table(
        "accounts_sign_in_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        op.f("ix_accounts_sign_in_attempt_at"), "accounts_sign_in_attempt", ["at"], unique=False
    )
    op.create_index(
        "ix_accounts_sign_in_attempt_subject",
        "accounts_sign_in_attempt",
        ["subject", "at"],
        unique=False,
    )
    op.create_table(
        "billing_fee_scheme",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "line",
            sa.Enum(
                "apps", "ads", name="line", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("developer_bps", sa.Integer(), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("developer_bps BETWEEN 0 AND 10000", name="share_of_a_whole"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("line", "version"),
    )
    op.create_table(
        "billing_gateway_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("external_id", sa.String(length=160), nullable=False),
        sa.Column(
            "news",
            sa.Enum(
                "payment.succeeded",
                "payment.declined",
                name="news",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("payment_ref", sa.String(length=120), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("handled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "external_id"),
    )
    op.create_table(
        "billing_ledger_transaction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("external_key", sa.String(length=120), nullable=False),
        sa.Column("corrects", sa.String(length=120), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("external_key <> ''", name="external_key_given"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("external_key"),
    )
    op.create_index(
        "ix_billing_ledger_transaction_occurred",
        "billing_ledger_transaction",
        ["occurred_at"],
        unique=False,
    )
    op.create_index(
        "ix_billing_ledger_transaction_subject",
        "billing_ledger_transaction",
        ["subject_id"],
        unique=False,
    )
    op.create_table(
        "infra_job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("payload", json_column(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "running",
                "done",
                "failed",
                name="jobstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("run_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("dedupe_key", sa.String(length=200), nullable=True),
        sa.Column("leased_by", sa.String(length=120), nullable=True),
        sa.Column("leased_until", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_infra_job")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_infra_job_dedupe_key")),
    )
    op.create_index("ix_infra_job_due", "infra_job", ["state", "run_at"], unique=False)
    op.create_index(op.f("ix_infra_job_name"), "infra_job", ["name"], unique=False)
    op.create_table(
        "infra_schedule",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_infra_schedule")),
    )
    op.create_table(
        "accounts_api_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", json_column(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts_account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret_hash"),
    )
    op.create_index(
        op.f("ix_accounts_api_token_account_id"), "accounts_api_token", ["account_id"], unique=False
    )
    op.create_table(
        "accounts_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts_account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret_hash"),
    )
    op.create_index(
        op.f("ix_accounts_session_account_id"), "accounts_session", ["account_id"], unique=False
    )
    op.create_table(
        "ads_campaign",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("advertiser", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["accounts_account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "billing_ledger_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.String(length=80), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.CheckConstraint("amount_micros <> 0", name="something"),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["billing_ledger_transaction.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_billing_ledger_entry_account",
        "billing_ledger_entry",
        ["account", "currency"],
        unique=False,
    )
    op.create_index(
        op.f("ix_billing_ledger_entry_transaction_id"),
        "billing_ledger_entry",
        ["transaction_id"],
        unique=False,
    )
    op.create_table(
        "catalog_app",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ident", sa.String(length=100), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("summary", sa.String(length=100), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("age", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "hidden",
                "listed",
                "blocked",
                name="appstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("current_release_id", sa.Uuid(), nullable=True),
        sa.Column("icon_key", sa.String(length=64), nullable=True),
        sa.Column("icon_type", sa.String(length=40), nullable=True),
        sa.Column("run_count", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["accounts_account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ident"),
    )
    op.create_index(
        "ix_catalog_app_listed", "catalog_app", ["state", "category", "run_count"], unique=False
    )
    op.create_index(op.f("ix_catalog_app_owner_id"), "catalog_app", ["owner_id"], unique=False)
    op.create_table(
        "ads_flight",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column(
            "pricing",
            sa.Enum(
                "cpm", "cpc", name="pricing", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("bid_micros", sa.BigInteger(), nullable=False),
        sa.Column("budget_micros", sa.BigInteger(), nullable=False),
        sa.Column("reserved_micros", sa.BigInteger(), nullable=False),
        sa.Column("committed_micros", sa.BigInteger(), nullable=False),
        sa.Column("views", sa.BigInteger(), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=False),
        sa.Column("categories", json_column(), nullable=False),
        sa.Column("locales", json_column(), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "live",
                "paused",
                name="flightstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.CheckConstraint("budget_micros > 0 AND bid_micros > 0", name="has_money"),
        sa.CheckConstraint("reserved_micros + committed_micros <= budget_micros", name="in_budget"),
        sa.CheckConstraint("reserved_micros >= 0 AND committed_micros >= 0", name="not_negative"),
        sa.CheckConstraint("starts_at < ends_at", name="starts_before_it_ends"),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["ads_campaign.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_ads_flight_campaign_id"), "ads_flight", ["campaign_id"], unique=False)
    op.create_index(
        "ix_ads_flight_live", "ads_flight", ["state", "starts_at", "ends_at"], unique=False
    )
    op.create_table(
        "catalog_listing_text",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("summary", sa.String(length=100), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id"],
            ["catalog_app.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("app_id", "locale"),
    )
    op.create_table(
        "catalog_product",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("unlocks", sa.String(length=20), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint("price_micros > 0", name="price_positive"),
        sa.ForeignKeyConstraint(
            ["app_id"],
            ["catalog_app.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("app_id", "key"),
    )
    op.create_table(
        "catalog_release",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("publisher_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("manifest", json_column(), nullable=False),
        sa.Column("listings", json_column(), nullable=False),
        sa.Column("actions", json_column(), nullable=False),
        sa.Column("bundle_key", sa.String(length=64), nullable=False),
        sa.Column("bundle_bytes", sa.Integer(), nullable=False),
        sa.Column("code_key", sa.String(length=64), nullable=True),
        sa.Column("icon_key", sa.String(length=64), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "checking",
                "in_review",
                "published",
                "rejected",
                name="releasestate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("state_changed_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("bundle_bytes > 0", name="bundle_not_empty"),
        sa.ForeignKeyConstraint(
            ["app_id"],
            ["catalog_app.id"],
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id"],
            ["accounts_account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("app_id", "version"),
    )
    op.create_index(
        "ix_catalog_release_state", "catalog_release", ["state", "created_at"], unique=False
    )
    op.create_table(
        "runs_kv",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=256), nullable=False),
        sa.Column("value", json_column(), nullable=False),
        sa.Column("value_bytes", sa.Integer(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id"],
            ["catalog_app.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("app_id", "person_id", "key"),
    )
    op.create_table(
        "ads_creative",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("flight_id", sa.Uuid(), nullable=False),
        sa.Column("headline", sa.String(length=60), nullable=False),
        sa.Column("text", sa.String(length=140), nullable=False),
        sa.Column("cta", sa.String(length=24), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.CheckConstraint("url LIKE 'https://%'", name="https_only"),
        sa.ForeignKeyConstraint(
            ["flight_id"],
            ["ads_flight.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_ads_creative_flight_id"), "ads_creative", ["flight_id"], unique=False)
    op.create_table(
        "billing_order",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("buyer_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("product_name", sa.String(length=200), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("developer_id", sa.Uuid(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("scheme_id", sa.Uuid(), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("payment_ref", sa.String(length=120), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "awaiting",
                "paid",
                "declined",
                "refunded",
                name="orderstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("state_changed_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("paid_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("amount_micros > 0", name="costs_something"),
        sa.ForeignKeyConstraint(
            ["app_id"],
            ["catalog_app.id"],
        ),
        sa.ForeignKeyConstraint(
            ["buyer_id"],
            ["accounts_account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["developer_id"],
            ["accounts_account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["catalog_product.id"],
        ),
        sa.ForeignKeyConstraint(
            ["scheme_id"],
            ["billing_fee_scheme.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("gateway", "payment_ref"),
    )
    op.create_index(op.f("ix_billing_order_app_id"), "billing_order", ["app_id"], unique=False)
    op.create_index(op.f("ix_billing_order_buyer_id"), "billing_order", ["buyer_id"], unique=False)
    op.create_index(
        "uq_billing_order_live",
        "billing_order",
        ["buyer_id", "product_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('awaiting', 'paid')"),
        postgresql_where=sa.text("state IN ('awaiting', 'paid')"),
    )
    op.create_table(
        "review_check_result",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("release_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=80), nullable=False),
        sa.Column("level", sa.String(length=10), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("file", sa.String(length=200), nullable=True),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("fix", sa.String(), nullable=True),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["release_id"],
            ["catalog_release.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        op.f("ix_review_check_result_release_id"),
        "review_check_result",
        ["release_id"],
        unique=False,
    )
    op.create_table(
        "runs_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("release_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("input", json_column(), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "running",
                "finished",
                "failed",
                "stopped",
                name="runstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("state_changed_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("executor", sa.String(length=120), nullable=True),
        sa.Column("output", json_column(), nullable=False),
        sa.Column("error_rule", sa.String(length=80), nullable=True),
        sa.Column("error_message", sa.String(), nullable=True),
        sa.Column("error_detail", sa.String(), nullable=True),
        sa.Column("model", sa.String(length=200), nullable=True),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("cached_tokens", sa.Integer(), nullable=False),
        sa.Column("generated_tokens", sa.Integer(), nullable=False),
        sa.Column("queue_ms", sa.Integer(), nullable=False),
        sa.Column("prefill_ms", sa.Integer(), nullable=False),
        sa.Column("decode_ms", sa.Integer(), nullable=False),
        sa.Column("cpu_ms", sa.Integer(), nullable=False),
        sa.Column("wall_ms", sa.Integer(), nullable=False),
        sa.Column("host_calls", sa.Integer(), nullable=False),
        sa.Column("permissions_used", json_column(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id"],
            ["catalog_app.id"],
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["accounts_account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["release_id"],
            ["catalog_release.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_runs_run_app", "runs_run", ["app_id", "created_at"], unique=False)
    op.create_index("ix_runs_run_person", "runs_run", ["person_id", "created_at"], unique=False)
    op.create_index("ix_runs_run_state", "runs_run", ["state"], unique=False)
    op.create_table(
        "ads_offer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("flight_id", sa.Uuid(), nullable=False),
        sa.Column("creative_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.String(length=64), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("developer_id", sa.Uuid(), nullable=False),
        sa.Column(
            "pricing",
            sa.Enum(
                "cpm", "cpc", name="pricing", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("scheme_id", sa.Uuid(), nullable=False),
        sa.Column(
            "unbilled",
            sa.Enum(
                "own-app",
                "operator",
                name="unbilled",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("decision", json_column(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "reserved",
                "committed",
                "void",
                name="offerstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("state_changed_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("viewed_at", UtcDateTime(), nullable=True),
        sa.Column("clicked_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("price_micros >= 0", name="price_not_negative"),
        sa.ForeignKeyConstraint(
            ["app_id"],
            ["catalog_app.id"],
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["ads_campaign.id"],
        ),
        sa.ForeignKeyConstraint(
            ["creative_id"],
            ["ads_creative.id"],
        ),
        sa.ForeignKeyConstraint(
            ["developer_id"],
            ["accounts_account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["flight_id"],
            ["ads_flight.id"],
        ),
        sa.ForeignKeyConstraint(
            ["scheme_id"],
            ["billing_fee_scheme.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("nonce"),
        sa.UniqueConstraint("run_id", "slot"),
    )
    op.create_index(op.f("ix_ads_offer_flight_id"), "ads_offer", ["flight_id"], unique=False)
    op.create_index("ix_ads_offer_open", "ads_offer", ["state", "expires_at"], unique=False)
    op.create_table(
        "billing_entitlement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("granted_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["app_id"],
            ["catalog_app.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["billing_order.id"],
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["accounts_account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["catalog_product.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("order_id"),
    )
    op.create_index(
        "ix_billing_entitlement_person",
        "billing_entitlement",
        ["person_id", "app_id"],
        unique=False,
    )
    op.create_table(
        "billing_refund",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("gateway_ref", sa.String(length=120), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("amount_micros > 0", name="gives_something"),
        sa.ForeignKeyConstraint(
            ["asked_by"],
            ["accounts_account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["billing_order.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        op.f("ix_billing_refund_order_id"), "billing_refund", ["order_id"], unique=False
    )
    search.create(op.get_bind())
    seal.put_on(op.get_bind())


def downgrade() -> None:
    seal.take_off(op.get_bind())
    search.drop(op.get_bind())
    op.drop_index(op.f("ix_billing_refund_order_id"), table_name="billing_refund")
    op.drop_table("billing_refund")
    op.drop_index("ix_billing_entitlement_person", table_name="billing_entitlement")
    op.drop_table("billing_entitlement")
    op.drop_index("ix_ads_offer_open", table_name="ads_offer")
    op.drop_index(op.f("ix_ads_offer_flight_id"), table_name="ads_offer")
    op.drop_table("ads_offer")
    op.drop_index("ix_runs_run_state", table_name="runs_run")
    op.drop_index("ix_runs_run_person", table_name="runs_run")
    op.drop_index("ix_runs_run_app", table_name="runs_run")
    op.drop_table("runs_run")
    op.drop_index(op.f("ix_review_check_result_release_id"), table_name="review_check_result")
    op.drop_table("review_check_result")
    op.drop_index(
        "uq_billing_order_live",
        table_name="billing_order",
        sqlite_where=sa.text("state IN ('awaiting', 'paid')"),
        postgresql_where=sa.text("state IN ('awaiting', 'paid')"),
    )
    op.drop_index(op.f("ix_billing_order_buyer_id"), table_name="billing_order")
    op.drop_index(op.f("ix_billing_order_app_id"), table_name="billing_order")
    op.drop_table("billing_order")
    op.drop_index(op.f("ix_ads_creative_flight_id"), table_name="ads_creative")
    op.drop_table("ads_creative")
    op.drop_table("runs_kv")
    op.drop_index("ix_catalog_release_state", table_name="catalog_release")
    op.drop_table("catalog_release")
    op.drop_table("catalog_product")
    op.drop_table("catalog_listing_text")
    op.drop_index("ix_ads_flight_live", table_name="ads_flight")
    op.drop_index(op.f("ix_ads_flight_campaign_id"), table_name="ads_flight")
    op.drop_table("ads_flight")
    op.drop_index(op.f("ix_catalog_app_owner_id"), table_name="catalog_app")
    op.drop_index("ix_catalog_app_listed", table_name="catalog_app")
    op.drop_table("catalog_app")
    op.drop_index(op.f("ix_billing_ledger_entry_transaction_id"), table_name="billing_ledger_entry")
    op.drop_index("ix_billing_ledger_entry_account", table_name="billing_ledger_entry")
    op.drop_table("billing_ledger_entry")
    op.drop_table("ads_campaign")
    op.drop_index(op.f("ix_accounts_session_account_id"), table_name="accounts_session")
    op.drop_table("accounts_session")
    op.drop_index(op.f("ix_accounts_api_token_account_id"), table_name="accounts_api_token")
    op.drop_table("accounts_api_token")
    op.drop_table("infra_schedule")
    op.drop_index(op.f("ix_infra_job_name"), table_name="infra_job")
    op.drop_index("ix_infra_job_due", table_name="infra_job")
    op.drop_table("infra_job")
    op.drop_index("ix_billing_ledger_transaction_subject", table_name="billing_ledger_transaction")
    op.drop_index("ix_billing_ledger_transaction_occurred", table_name="billing_ledger_transaction")
    op.drop_table("billing_ledger_transaction")
    op.drop_table("billing_gateway_event")
    op.drop_table("billing_fee_scheme")
    op.drop_index("ix_accounts_sign_in_attempt_subject", table_name="accounts_sign_in_attempt")
    op.drop_index(op.f("ix_accounts_sign_in_attempt_at"), table_name="accounts_sign_in_attempt")
    op.drop_table("accounts_sign_in_attempt")
    op.drop_table("accounts_setup_link")
    op.drop_table("accounts_account")
