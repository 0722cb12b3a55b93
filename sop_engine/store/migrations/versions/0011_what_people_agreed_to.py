"""Changes the tables: the ledger of consent, and addresses that are not written to."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "consents",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("user_id", BIG, autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("wording", sa.String(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_consents_user", "consents", ["user_id", "at"], unique=False)
    op.create_table(
        "suppressions",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("address_hmac", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("pair", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("address_hmac", "channel", "scope", "reason", "pair"),
    )
    op.create_index("ix_suppressions_at", "suppressions", ["at"], unique=False)
    _refusals_by_topic()


def _refusals_by_topic() -> None:
    """Every refusal there is becomes a line of the ledger, and says of which topic it is: of all."""
    op.execute(
        "INSERT INTO consents (user_id, channel, topic, state, at, source, wording, evidence, turn) "
        "SELECT user_id, channel, '*', 'withdrawn', at, source, '', '', turn FROM opt_outs"
    )
    op.create_table(
        "refusals_by_topic",
        sa.Column("user_id", BIG, autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), server_default="*", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("user_id", "channel", "topic"),
    )
    op.execute(
        "INSERT INTO refusals_by_topic (user_id, channel, topic, at, source, turn) "
        "SELECT user_id, channel, '*', at, source, turn FROM opt_outs"
    )
    op.drop_table("opt_outs")
    op.rename_table("refusals_by_topic", "opt_outs")
