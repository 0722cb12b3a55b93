"""Spreads the touches that waited for a stop, or for hours to begin, so that the end of the wait is no burst."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Float, Interval, and_, cast, func, literal, or_, select, update

from sop_engine.store.touches import touches

LONGEST = timedelta(minutes=30)
PER_SECOND = 20
BEFORE_LATE = 60  # seconds that a touch is due before it would be too late
LOOKED_AT_AGAIN = timedelta(minutes=15)  # whoever waits is looked at again before that


def spread_paused(tx: Connection, now: datetime, playbook: str | None = None) -> tuple[int, timedelta]:
    """Make what waited for a stop due evenly from now on: at most 20 a second, within half an hour, what is late first.

    Nothing is moved to where it would be too late. How many waited, and over how long they are spread.
    """
    mine = _waiting(now, playbook)
    many = int(tx.execute(select(func.count()).where(mine)).scalar_one())
    span = min(LONGEST, timedelta(seconds=many / PER_SECOND))
    if many:
        c = touches.c
        order = func.row_number().over(order_by=(c.lane, c.rank.desc(), c.late_at, c.id)) - 1
        listed = select(c.id, (order * (span.total_seconds() / many)).label("seconds")).where(mine).cte("waiting")
        tx.execute(update(touches).where(c.id == listed.c.id, c.state == "planned").values(due_at=_due(tx, now, listed.c.seconds)))
    return many, span


def count_opening(tx: Connection, opens_at: datetime) -> int:
    """How many touches wait for hours that begin at this moment."""
    c = touches.c
    mine = c.state == "planned", c.reason == "hours", c.due_at >= opens_at, c.due_at < opens_at + LONGEST
    return int(tx.execute(select(func.count()).where(*mine)).scalar_one())


def turn(number: int) -> timedelta:
    """How long after the end of a wait the touch of this number (from 0) goes: 20 a second, and more at once where half an hour is full."""
    return timedelta(seconds=number // PER_SECOND) % LONGEST


def _waiting(now: datetime, playbook: str | None) -> ColumnElement[bool]:
    c = touches.c
    waiting = and_(c.state == "planned", c.reason == "paused", c.due_at <= now + LOOKED_AT_AGAIN)
    if playbook is None:
        return waiting
    return and_(waiting, or_(c.flow == playbook, c.flow.startswith(f"{playbook}/", autoescape=True)))


def _due(tx: Connection, now: datetime, seconds: Any) -> ColumnElement[Any]:
    """So many seconds from now, but a minute before it is too late, and not in the past."""
    at = literal(now, touches.c.due_at.type)
    if tx.dialect.name == "postgresql":
        then = at + cast(seconds, Float) * literal(timedelta(seconds=1), Interval)
        return func.greatest(at, func.least(then, touches.c.late_at - literal(timedelta(seconds=BEFORE_LATE), Interval)))
    then = _later(at, func.printf("+%.3f seconds", seconds))
    return func.max(at, func.min(then, _later(touches.c.late_at, f"-{BEFORE_LATE} seconds")))


def _later(at: Any, shift: Any) -> ColumnElement[Any]:
    """A time moved by so many seconds, in the form SQLite keeps times in."""
    return func.strftime("%Y-%m-%d %H:%M:%f", at, shift).op("||")("000")
