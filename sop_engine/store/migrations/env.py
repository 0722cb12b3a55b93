"""Runs what Alembic asks for, on the connection that migrate.py hands over and inside its transaction."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel.sql.sqltypes import AutoString

from sop_engine.store.columns import Instant
from sop_engine.store.migrate import TABLES, is_ours

WRITTEN: dict[type, str] = {
    Instant: "sa.DateTime(timezone=True)",
    AutoString: "sa.String()",
    sa.JSON: "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')",
}


def plain_type(kind: str, thing: Any, writing: AutogenContext) -> str | Literal[False]:
    """Write our own column types as the database's, so that an old revision never depends on today's code."""
    if kind != "type":
        return False
    if isinstance(thing, sa.JSON):
        writing.imports.add("from sqlalchemy.dialects import postgresql")
    return WRITTEN.get(type(thing), False)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=TABLES,
    include_object=is_ours,
    render_item=plain_type,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
