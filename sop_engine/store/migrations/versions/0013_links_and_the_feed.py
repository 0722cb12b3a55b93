"""Changes the tables: tracked links and what follows them, and the feed to other systems."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0007"
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
    op.create_index("ix_links_at", "links", ["at"], unique=False)
    op.create_index("ix_clicks_pending", "clicks", ["at"], unique=False, sqlite_where=PENDING, postgresql_where=PENDING)
