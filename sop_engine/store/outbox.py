"""The outbox (messages kept instead of sent) and tasks for colleagues; each key once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Row, insert, select

from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import OutboxRow, TaskRow

outbox = table_of(OutboxRow)
tasks = table_of(TaskRow)
ESCALATED = "escalated:"
"""How the key of a task begins that escalates the one whose key follows."""


def keep(tx: Connection, messages: Sequence[Mapping[str, Any]]) -> None:
    """Store messages; one whose key is there already is left as it is."""
    put_rows(tx, outbox, messages, key=["key"], over=False)


def find(tx: Connection, key: str) -> str | None:
    """The key, if a message or a task was kept under it."""
    for table in (outbox, tasks):
        if tx.execute(select(table.c.id).where(table.c.key == key)).first() is not None:
            return key
    return None


@dataclass(frozen=True, slots=True)
class Task:
    """A to-do for a colleague; `assignee` is empty for whoever comes first."""

    key: str
    user_id: int
    assignee: str
    text: str
    due_at: datetime | None = None
    touch_id: int | None = None
    channel: str | None = None


class ToDo(Protocol):
    """What a message says about the task it becomes."""

    @property
    def key(self) -> str: ...
    @property
    def user_id(self) -> int: ...
    @property
    def to(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def due_at(self) -> datetime | None: ...
    @property
    def touch_id(self) -> int: ...


def task_of(message: ToDo, channel: str) -> Task:
    """The task that a message through a channel to colleagues becomes."""
    return Task(message.key, message.user_id, message.to, message.text, message.due_at, message.touch_id, channel)


def add_task(tx: Connection, task: Task, now: datetime) -> None:
    """Make a task, once per key."""
    if tx.execute(select(tasks.c.id).where(tasks.c.key == task.key)).first() is None:
        values = {name: getattr(task, name) for name in Task.__dataclass_fields__}
        tx.execute(insert(tasks).values(**values, state="open", created_at=now))


def list_outbox(tx: Connection, *, user_id: int | None = None, channel: str | None = None, limit: int = 50) -> list[Row[Any]]:
    """The newest messages first."""
    statement = select(outbox).order_by(outbox.c.id.desc()).limit(limit)
    if user_id is not None:
        statement = statement.where(outbox.c.user_id == user_id)
    if channel is not None:
        statement = statement.where(outbox.c.channel == channel)
    return list(tx.execute(statement))


def list_tasks(tx: Connection, *, state: str = "open", limit: int = 50) -> list[Row[Any]]:
    """Tasks in this state, the earliest deadline first, those without one last."""
    by_deadline = tasks.c.due_at.is_(None), tasks.c.due_at, tasks.c.id
    return list(tx.execute(select(tasks).where(tasks.c.state == state).order_by(*by_deadline).limit(limit)))
