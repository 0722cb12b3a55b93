"""Changes the tables: benefits of every kind, coupons of providers, and reports that they were used."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tied = sa.text("tied IS NOT NULL")
    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(), server_default="code", nullable=False))
        batch_op.add_column(sa.Column("worth", sa.Numeric(precision=18, scale=6), nullable=True))
        batch_op.add_column(sa.Column("sets", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True))
        batch_op.add_column(sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("used_event", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("used_order", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("tied", sa.String(), nullable=True))
        batch_op.create_index("ix_grants_used", ["used_event"], unique=False)
        batch_op.create_index("ix_grants_tied", ["state"], unique=False, sqlite_where=tied, postgresql_where=tied)
    _asked()
    _redemptions()


def _asked() -> None:
    still_open = sa.text("state IN ('unknown', 'issued', 'voiding')")
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "asked_benefits",
        sa.Column("id", key, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("touch_id", key, nullable=False),
        sa.Column("benefit", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
        sa.UniqueConstraint("touch_id", "benefit"),
    )
    with op.batch_alter_table("asked_benefits", schema=None) as batch_op:
        batch_op.create_index("ix_asked_look", ["look_at"], unique=False, sqlite_where=still_open, postgresql_where=still_open)


def _redemptions() -> None:
    still_open = sa.text("state IN ('parked', 'taken')")
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "redemptions",
        sa.Column("id", key, autoincrement=True, nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("grant_id", key, nullable=True),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("user_key", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=6), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("flags", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event"),
    )
    with op.batch_alter_table("redemptions", schema=None) as batch_op:
        batch_op.create_index("ix_redemptions_open", ["received_at"], unique=False, sqlite_where=still_open, postgresql_where=still_open)
        batch_op.create_index("ix_redemptions_grant", ["grant_id", "order_id"], unique=False)
        batch_op.create_index("ix_redemptions_code", ["code"], unique=False)
