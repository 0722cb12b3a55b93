"""Remembers the slices of a task about everybody (a midnight, a refresh): which are open, who was asked to do them, which are done."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.people import SLICE, filled
from sop_engine.store.safety_tables import SliceRow

slices = table_of(SliceRow)
c = slices.c

Hint = tuple[str, int, int]
"""Task, first id, epoch: asks a worker to do a slice. An old one does no harm."""


def plan(tx: Connection, task: str, size: int = SLICE) -> None:
    """Lay out the slices of a task over all users there are now, unless it was done before."""
    if not is_planned(tx, task):
        rows = [{"task": task, "first": first, "size": size, "state": "open", "epoch": 0, "moves": 0} for first in filled(tx, size)]
        put_rows(tx, slices, rows, key=("task", "first"), over=False)  # two processes may plan at the same moment


def is_planned(tx: Connection, task: str) -> bool:
    """Whether the task has slices, open or done."""
    return tx.execute(select(c.task).where(c.task == task).limit(1)).first() is not None


def claim(tx: Connection, task: str, now: datetime, lease: timedelta, limit: int) -> list[Hint]:
    """Take open slices that nobody holds, for as long as the lease; at most `limit` of a task are held at a time. `now` is lease time."""
    free = and_(c.task == task, c.state == "open", or_(c.lease_until.is_(None), c.lease_until <= now))
    held = select(func.count()).where(c.task == task, c.state == "open", c.lease_until > now)
    room = limit - tx.execute(held).scalar_one()
    if room <= 0:
        return []
    firsts = tx.execute(select(c.first).where(free).order_by(c.first).limit(room).with_for_update(skip_locked=True)).scalars().all()
    taken = update(slices).where(free, c.first.in_(firsts)).values(epoch=c.epoch + 1, lease_until=now + lease)
    return sorted((task, row.first, row.epoch) for row in tx.execute(taken.returning(c.first, c.epoch)))


def take(tx: Connection, task: str, first: int, epoch: int | None = None) -> int | None:
    """Hold a slice until the end of the transaction; its size, or None when it is done or (with `epoch`) was given to somebody else."""
    statement = select(c.size).where(c.task == task, c.first == first, c.state == "open").with_for_update()
    return tx.execute(statement if epoch is None else statement.where(c.epoch == epoch)).scalar()


def finish(tx: Connection, task: str, first: int, moves: int) -> None:
    """A slice that was taken in this transaction is done."""
    tx.execute(update(slices).where(c.task == task, c.first == first).values(state="done", lease_until=None, moves=moves))


def left(tx: Connection, task: str) -> list[int]:
    """The first ids of the slices that are open, in order."""
    return list(tx.execute(select(c.first).where(c.task == task, c.state == "open").order_by(c.first)).scalars())


def tasks(tx: Connection, begin: str) -> Sequence[str]:
    """The tasks whose names begin so and that have slices, oldest first."""
    return tx.execute(select(c.task).where(c.task.startswith(begin, autoescape=True)).distinct().order_by(c.task)).scalars().all()


def forget(tx: Connection, task: str) -> int:
    """The task is over: take its slices out; how many moves they made."""
    return sum(tx.execute(delete(slices).where(c.task == task).returning(c.moves)).scalars())
