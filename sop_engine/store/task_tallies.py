"""Counts tasks by channel and colleague, and finds the users of a level for whom nobody has done one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from sop_engine.store.columns import table_of
from sop_engine.store.outbox import ESCALATED, tasks
from sop_engine.store.run_tables import TouchRow
from sop_engine.store.tables import PlacementRow, UserRow

users, placements, touches = table_of(UserRow), table_of(PlacementRow), table_of(TouchRow)


@dataclass(frozen=True, slots=True)
class Rate:
    """Tasks of one colleague through one channel: made; done, and of these by the deadline; open beyond it; escalated."""

    channel: str
    assignee: str
    made: int
    done: int
    in_time: int
    overdue: int
    escalated: int


def rates_since(tx: Connection, since: datetime, now: datetime) -> list[Rate]:
    """Of the tasks made since then, by channel and colleague; one that escalates another is none of its own."""
    t = tasks.c
    channel, done = func.coalesce(t.channel, touches.c.channel, ""), t.state == "done"
    columns = [
        func.count(),
        _many(done),
        _many(done, t.due_at.is_(None) | (t.done_at <= t.due_at)),
        _many(t.state == "open", t.due_at <= now),
        _many(t.escalated_at.is_not(None)),
    ]
    statement = select(channel, t.assignee, *columns).select_from(tasks.outerjoin(touches, touches.c.id == t.touch_id))
    statement = statement.where(t.created_at >= since, t.created_at <= now, t.key.not_like(f"{ESCALATED}%"))
    grouped = statement.group_by(channel, t.assignee).order_by(channel, t.assignee)
    return [Rate(row[0], row[1], *map(int, row[2:])) for row in tx.execute(grouped)]


def _many(*where: Any) -> Any:
    return func.coalesce(func.sum(case((and_(*where), 1), else_=0)), 0)


def uncared_for(tx: Connection, model: str, level: str, since: datetime, limit: int) -> tuple[int, list[str]]:
    """How many users are in a level and have had no task done for them since then, and the keys of at most `limit` of them."""
    t, p = tasks.c, placements.c
    cared = select(t.id).where(t.user_id == p.user_id, t.state == "done", t.done_at >= since).exists()
    these = p.model == model, p.level == level, ~cared
    total = int(tx.execute(select(func.count()).select_from(placements).where(*these)).scalar_one())
    listed = select(users.c.key).join(placements, p.user_id == users.c.id).where(*these).order_by(users.c.id).limit(limit)
    return total, list(tx.execute(listed).scalars())
