"""Changes the tables: keys that may send, items refused, what is counted of a source, and what stays with an event."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":  # or the id of a user who became part of another one is given to the next new user
        with op.batch_alter_table("users", schema=None, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass
        op.execute("INSERT INTO sqlite_sequence (name, seq) SELECT 'users', 0 WHERE 'users' NOT IN (SELECT name FROM sqlite_sequence)")
        op.execute(
            "UPDATE sqlite_sequence SET seq = MAX(seq, COALESCE((SELECT MAX(id) FROM former_users), 0), "
            "COALESCE((SELECT MAX(id) FROM users), 0)) WHERE name = 'users'"
        )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_keys_source"), ["source"], unique=False)

    op.create_table(
        "refused_items",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("refused_items", schema=None) as batch_op:
        batch_op.create_index("ix_refused_items_at", ["at"], unique=False)
        batch_op.create_index("ix_refused_items_source", ["source", "reason", "at"], unique=False)

    op.create_table(
        "source_counts",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "what", "name"),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("context", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True))
