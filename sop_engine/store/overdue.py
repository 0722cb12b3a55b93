"""Tasks whose deadline has passed: found channel by channel along an index, and escalated once."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, text, update

from sop_engine.store.bulk import among, put_rows
from sop_engine.store.outbox import Task, tasks

_WAITING = text("tasks.state = 'open' AND tasks.escalated_at IS NULL")  # as its index says it, or SQLite does not use that
_OF_CHANNEL = tasks.c.channel == bindparam("channel")
_FIRST = select(func.min(tasks.c.due_at)).where(_WAITING, _OF_CHANNEL)
_OVERDUE = select(tasks.c.id, tasks.c.user_id).where(_WAITING, _OF_CHANNEL, tasks.c.due_at <= bindparam("now", type_=tasks.c.due_at.type))
_FOUND = _OVERDUE.order_by(tasks.c.due_at).limit(bindparam("most"))
_MARK = update(tasks).where(among(tasks.c.id), _WAITING).returning(tasks)


def next_deadline(tx: Connection, channels: Iterable[str]) -> datetime | None:
    """The earliest deadline of an open task of these channels that was not escalated."""
    found = [tx.execute(_FIRST, {"channel": channel}).scalar() for channel in channels]
    return min((moment for moment in found if moment is not None), default=None)


def overdue(tx: Connection, channels: Iterable[str], now: datetime, most: int) -> list[tuple[int, int]]:
    """(task, user) of at most so many open tasks of these channels whose deadline has passed, the oldest of each channel first."""
    found: list[tuple[int, int]] = []
    for channel in channels:
        rows = tx.execute(_FOUND, {"channel": channel, "now": now, "most": most - len(found)})
        found += [(row.id, row.user_id) for row in rows]
    return found


def mark_escalated(tx: Connection, task_ids: Sequence[int], now: datetime) -> list[Row[Any]]:
    """Mark those of the tasks that are open and were not escalated by anybody; the rows of them, in the order of their ids."""
    return sorted(tx.execute(_MARK.values(escalated_at=now), {"ids": task_ids}), key=lambda row: int(row.id))


def add_tasks(tx: Connection, listed: Sequence[Task], now: datetime) -> None:
    """Make tasks, each once by its key."""
    rows = [{**asdict(task), "state": "open", "created_at": now} for task in listed]
    if rows:
        put_rows(tx, tasks, rows, key=["key"], over=False)
