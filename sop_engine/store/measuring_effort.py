"""Counts what reaching users costs (benefits, messages, minutes of colleagues) by level and flow, and who brought whom.

Each query is one grouped pass over the grants, touches, tasks or events of a window; a row for each level or flow comes back.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, and_, extract, func, literal_column, select

from sop_engine.store.columns import table_of
from sop_engine.store.counting import Span
from sop_engine.store.dialect import dialect
from sop_engine.store.measuring import done_by_user, events, touches
from sop_engine.store.outbox import ESCALATED
from sop_engine.store.run_tables import GrantRow, TaskRow
from sop_engine.store.tables import UserRow

grants = table_of(GrantRow)
tasks = table_of(TaskRow)
users = table_of(UserRow)
_FIRST = tasks.c.key.not_like(f"{ESCALATED}%")  # one that escalates another is no work of its own
STANDING = ("reserved", "issued", "redeemed", "expired")


def benefits_by(tx: Connection, span: Span, by: str) -> dict[str, float]:
    """By `level` (of the primary tier when it was sent; "" for none) or `flow`: what the benefits given in the window cost."""
    g = grants.c
    label = func.coalesce(getattr(touches.c, by), "")
    kept = and_(g.state.in_(STANDING), g.given_day >= span.first_day, g.given_day <= span.last_day)
    joined = grants.join(touches, touches.c.id == g.touch_id)
    return _summed(tx, select(label, func.sum(g.cost)).select_from(joined).where(kept).group_by(label).order_by(label))


def _sent(span: Span) -> Any:
    t = touches.c
    return and_(t.state == "sent", t.channel.is_not(None), t.done_at >= span.start, t.done_at < span.end)


def sends_by(tx: Connection, span: Span, by: str) -> dict[str, float]:
    """By `level` or `flow`: what the messages and tasks sent in the window cost at the price of their channel."""
    label = func.coalesce(getattr(touches.c, by), "")
    statement = select(label, func.sum(func.coalesce(touches.c.cost, 0))).where(_sent(span)).group_by(label)
    return _summed(tx, statement.order_by(label))


def tasks_by(tx: Connection, span: Span, by: str) -> dict[str, int]:
    """By `level` or `flow`: tasks for colleagues made in the window."""
    label = func.coalesce(getattr(touches.c, by), "")
    made = and_(tasks.c.created_at >= span.start, tasks.c.created_at < span.end, _FIRST)
    joined = tasks.join(touches, touches.c.id == tasks.c.touch_id)
    rows = tx.execute(select(label, func.count()).select_from(joined).where(made).group_by(label).order_by(label))
    return {row[0]: int(row[1]) for row in rows}


def _summed(tx: Connection, statement: Any) -> dict[str, float]:
    return {row[0]: float(Decimal(row[1] or 0)) for row in tx.execute(statement)}


def staff_hours(tx: Connection, start: datetime, end: datetime) -> tuple[int, int]:
    """(tasks done in a time, hours of colleagues: clock hours in which a colleague finished at least one)."""
    t = tasks.c
    done = and_(t.state == "done", t.done_at >= start, t.done_at < end, _FIRST)
    parts = [extract(part, t.done_at) for part in ("year", "month", "day", "hour")]
    hours = select(t.assignee, *parts, func.count().label("many")).where(done).group_by(t.assignee, *parts).subquery()
    many, worked = tx.execute(select(func.sum(hours.c.many), func.count()).select_from(hours)).one()
    return int(many or 0), int(worked)


def invites(tx: Connection, span: Span, kind: str, invitee: str | None) -> int:
    """Invites of the window; where the event names whom (`invitee`), each pair once and never oneself."""
    e = events.c
    sent = and_(done_by_user(e, [kind]), e.day >= span.first_day, e.day <= span.last_day)
    if invitee is None:
        return int(tx.execute(select(func.count()).select_from(events).where(sent)).scalar_one())
    whom: Any = literal_column(dialect(tx).field("events.fields", invitee, "text")).label("whom")
    pairs = select(e.user_id, whom).join(users, users.c.id == e.user_id).where(sent, whom.is_not(None), whom != users.c.key).distinct()
    return int(tx.execute(select(func.count()).select_from(pairs.subquery())).scalar_one())


def credited_by_event(tx: Connection, span: Span, kind: str, inviter: str) -> int:
    """Distinct users with such an event in the window whose field names somebody else who brought them."""
    e = events.c
    who: Any = literal_column(dialect(tx).field("events.fields", inviter, "text"))
    mine = and_(e.kind == kind, e.counted.is_(True), e.day >= span.first_day, e.day <= span.last_day)
    statement = select(func.count(func.distinct(e.user_id))).join(users, users.c.id == e.user_id)
    return int(tx.execute(statement.where(mine, who.is_not(None), who != "", who != users.c.key)).scalar_one())


def credited_by_attribute(tx: Connection, span: Span, attribute: str, word: str) -> int:
    """Users who joined in the window and of whom this attribute says the word."""
    u = users.c
    said: Any = literal_column(dialect(tx).field("users.attributes", attribute, "text"))
    inside = and_(u.joined_day >= span.first_day, u.joined_day <= span.last_day)
    return int(tx.execute(select(func.count()).select_from(users).where(inside, said == word)).scalar_one())


def registered(tx: Connection, day: int) -> int:
    """Users who had joined by the end of a local day."""
    return int(tx.execute(select(func.count()).select_from(users).where(users.c.joined_day <= day)).scalar_one())
