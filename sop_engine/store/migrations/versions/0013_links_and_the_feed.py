"""Changes the tables: tracked links and what follows them, and the feed to other systems."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PENDING, WAITING = sa.text("state = 'pending'"), sa.text("state = 'waiting'")


def upgrade() -> None:
    op.create_table(
        "links",
        sa.Column("touch_id", KEY, autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("touch_id", "n"),
    )
    op.create_table(
        "clicks",
        sa.Column("touch_id", KEY, autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("touch_id", "n"),
    )
    op.create_table(
        "shares",
        sa.Column("touch_id", KEY, autoincrement=False, nullable=False),
        sa.Column("opener", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("touch_id", "opener"),
    )
    op.create_index("ix_shares_pending", "shares", ["at"], unique=False, sqlite_where=PENDING, postgresql_where=PENDING)
    op.create_index("ix_links_at", "links", ["at"], unique=False)
    op.create_index("ix_clicks_pending", "clicks", ["at"], unique=False, sqlite_where=PENDING, postgresql_where=PENDING)
    op.create_table(
        "feed",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_feed_user_id", "feed", ["user_id"], unique=False)
    op.create_index("ix_feed_user", "feed", ["feed", "user_id", "id"], unique=False, sqlite_where=WAITING, postgresql_where=WAITING)
    op.create_index("ix_feed_due", "feed", ["feed", "due_at", "id"], unique=False, sqlite_where=WAITING, postgresql_where=WAITING)
    op.create_index("ix_feed_done", "feed", ["done_at"], unique=False)
