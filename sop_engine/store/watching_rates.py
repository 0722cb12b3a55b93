"""Counts what alerts watch: who leaves and enters levels, what becomes of messages, goals, budgets and tasks of a period.

Each function is one grouped pass over the moves, touches, runs, grants or tasks of the period; two or three numbers come back.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select

from sop_engine.store.cohorts import moves
from sop_engine.store.columns import table_of
from sop_engine.store.counting import Span
from sop_engine.store.measuring import left_in, opt_outs, receipts, runs, touches
from sop_engine.store.measuring_effort import STANDING, grants, tasks
from sop_engine.store.tables import UserRow

users = table_of(UserRow)
Only = Mapping[str, str]
"""Which touches: by column (flow, channel, benefit, level); a playbook stands for all its flows."""


def of(column: Any, name: str) -> ColumnElement[bool]:
    """Whether a column of flows names this flow, or one of this playbook."""
    return or_(column == name, column.startswith(f"{name}/", autoescape=True))


def _only(only: Only) -> list[ColumnElement[bool]]:
    return [of(touches.c.flow, value) if name == "flow" else touches.c[name] == value for name, value in only.items()]


def left(tx: Connection, span: Span, model: str, levels: Sequence[str], *, ladder: bool) -> int:
    """Users who left one of these levels on these days: down the ladder, or to anywhere where there is none."""
    m = moves.c
    down = m.up.is_(False) if ladder else m.new.is_distinct_from(m.old)
    inside = and_(m.model == model, m.old.in_(list(levels)), m.day >= span.first_day, m.day <= span.last_day)
    return int(tx.execute(select(func.count(func.distinct(m.user_id))).where(inside, down)).scalar_one())


def entered(tx: Connection, span: Span, model: str, levels: Sequence[str]) -> int:
    """Users who entered one of these levels on these days."""
    m = moves.c
    inside = and_(m.model == model, m.new.in_(list(levels)), m.day >= span.first_day, m.day <= span.last_day)
    return int(tx.execute(select(func.count(func.distinct(m.user_id))).where(inside)).scalar_one())


def deliveries(tx: Connection, span: Span, only: Only) -> tuple[int, int, int]:
    """(delivered, opened, clicked) of marketing messages delivered in the period."""
    came, opened, clicked = (receipts.alias(kind) for kind in ("delivered", "opened", "clicked"))
    joined = touches.join(came, and_(came.c.touch_id == touches.c.id, came.c.kind == "delivered"))
    for receipt in (opened, clicked):
        joined = joined.outerjoin(receipt, and_(receipt.c.touch_id == touches.c.id, receipt.c.kind == receipt.name))
    t = touches.c
    inside = and_(t.state == "sent", t.purpose == "marketing", came.c.at >= span.start, came.c.at < span.end, *_only(only))
    counts = (func.count(), func.count(opened.c.touch_id), func.count(clicked.c.touch_id))
    return _three(tx.execute(select(*counts).select_from(joined).where(inside)).one())


def seen_channels(tx: Connection, until: datetime, kind: str = "opened") -> frozenset[str]:
    """Channels that ever told of an opening (or another kind) before a moment: for the others a rate of 0 means nothing."""
    known = exists().where(receipts.c.touch_id == touches.c.id, receipts.c.kind == kind, receipts.c.at < until)
    statement = select(touches.c.channel).where(touches.c.state == "sent", known).distinct()
    return frozenset(channel for channel in tx.execute(statement).scalars() if channel)


def refusals(tx: Connection, span: Span, only: Only) -> tuple[int, int]:
    """(users who were reached in the period, those of them who refused the channel, or everything, in it)."""
    came, t, o = receipts.alias("came"), touches.c, opt_outs.c
    joined = touches.join(came, and_(came.c.touch_id == t.id, came.c.kind == "delivered"))
    inside = and_(t.state == "sent", t.purpose == "marketing", came.c.at >= span.start, came.c.at < span.end, *_only(only))
    refused = exists().where(o.user_id == t.user_id, or_(o.channel == t.channel, o.channel == "*"), left_in(o, span))
    counts = (func.count(func.distinct(t.user_id)), func.count(func.distinct(case((refused, t.user_id)))))
    row = tx.execute(select(*counts).select_from(joined).where(inside)).one()
    return int(row[0]), int(row[1])


def failures(tx: Connection, span: Span, only: Only) -> tuple[int, int]:
    """(messages sent or failed in the period, those that failed)."""
    t = touches.c
    inside = and_(t.state.in_(("sent", "failed")), t.channel.is_not(None), t.done_at >= span.start, t.done_at < span.end, *_only(only))
    row = tx.execute(select(func.count(), func.sum(case((t.state == "failed", 1), else_=0))).where(inside)).one()
    return int(row[0]), int(row[1] or 0)


def goals(tx: Connection, span: Span, flow: str) -> tuple[int, int]:
    """(runs of a flow or playbook that ended in the period, held out ones aside; those of them that had reached their goal)."""
    r = runs.c
    inside = and_(r.ended_at >= span.start, r.ended_at < span.end, r.held_out.is_(False), *([of(r.flow, flow)] if flow else []))
    row = tx.execute(select(func.count(), func.count(r.goal_at)).where(inside)).one()
    return int(row[0]), int(row[1])


def spent(tx: Connection, days: tuple[int, int], *, benefit: str = "", flow: str = "") -> float:
    """What benefits given on these local days cost: of one benefit, or of one flow or playbook."""
    g = grants.c
    mine = [g.benefit == benefit] if benefit else [of(g.flow, flow)]
    kept = and_(g.state.in_(STANDING), g.given_day >= days[0], g.given_day <= days[1], *mine)
    return float(tx.execute(select(func.coalesce(func.sum(g.cost), 0)).where(kept)).scalar_one())


def overdue(tx: Connection, at: datetime, only: Only) -> int:
    """Tasks whose time was over at a moment and which nobody had done by then."""
    k = tasks.c
    late = and_(k.due_at < at, k.created_at < at, or_(k.state == "open", k.done_at >= at))
    source = tasks.join(touches, touches.c.id == k.touch_id) if only else tasks
    return int(tx.execute(select(func.count()).select_from(source).where(late, *_only(only))).scalar_one())


def _three(row: Any) -> tuple[int, int, int]:
    return int(row[0]), int(row[1]), int(row[2])
