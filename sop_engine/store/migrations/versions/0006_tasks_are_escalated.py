"""Changes the tables: tasks are escalated."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    waiting = sa.text("state = 'open' AND escalated_at IS NULL")
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("channel", sa.String(), nullable=True))
        batch_op.create_index("ix_tasks_due", ["channel", "due_at"], unique=False, sqlite_where=waiting, postgresql_where=waiting)

    op.execute("UPDATE tasks SET channel = (SELECT t.channel FROM touches t WHERE t.id = tasks.touch_id) WHERE state = 'open'")
