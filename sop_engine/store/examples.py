"""Finds users worth looking at: one who was sent much, one who was held back."""

from sqlalchemy import ColumnElement, Connection, func, select

from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import TouchRow
from sop_engine.store.tables import UserRow

touches = table_of(TouchRow)
users = table_of(UserRow)


def one_sent(tx: Connection) -> tuple[str, str] | None:
    """(user, flow) with the most messages sent in one flow that gives something."""
    return _one(tx, (touches.c.state == "sent") & touches.c.benefit.is_not(None))


def one_held_back(tx: Connection) -> tuple[str, str] | None:
    """(user, flow) with the most steps skipped, of users who were sent nothing by any flow."""
    sent = select(touches.c.user_id).where(touches.c.state == "sent", touches.c.channel.is_not(None))
    return _one(tx, (touches.c.state == "skipped") & touches.c.user_id.not_in(sent))


def _one(tx: Connection, where: ColumnElement[bool]) -> tuple[str, str] | None:
    c = touches.c
    counted = select(users.c.key, c.flow).join(users, users.c.id == c.user_id).where(where)
    row = tx.execute(counted.group_by(users.c.key, c.flow).order_by(func.count().desc(), users.c.key).limit(1)).first()
    return None if row is None else (row[0], row[1])
