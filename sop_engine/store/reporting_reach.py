"""Counts for reports what touches come to: the funnel, who got nothing, what was not meant for them, blocks, surveys, tasks.

Each query is one grouped pass over the touches, refusals, events or tasks of the period; lists of users are cut in the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, exists, func, or_, select

from sop_engine.store.cohorts import moves, users
from sop_engine.store.counting import Span
from sop_engine.store.measuring import events, left_in, opt_outs, receipts, runs, touches
from sop_engine.store.measuring_effort import STANDING, grants, tasks
from sop_engine.store.reporting import MOST, levels_at

HUMAN = "staff_task"


@dataclass(frozen=True, slots=True)
class Stages:
    """Distinct users by stage, of one group of touches."""

    labels: tuple[str, ...]
    planned: int
    sent: int
    delivered: int
    opened: int
    clicked: int
    converted: int


def _level(primary: str) -> Any:
    """The level of the primary tier at the intent; of a touch that came to none, when it was first due."""
    m, t = moves.c, touches.c
    then = select(m.new).where(m.user_id == t.user_id, m.model == primary, m.at <= t.first_due_at).order_by(m.id.desc()).limit(1)
    return func.coalesce(t.level, then.correlate(touches).scalar_subquery())


def funnel(tx: Connection, span: Span, by: Sequence[str], primary: str, steps: Sequence[tuple[str, str]]) -> list[Stages]:
    """Users by stage, of the steps (flow, step) that send, first due in the period; what came later than its end is left out.

    A user is converted whose run reached its goal after one of its messages was delivered. Twice counts once.
    """
    t, r = touches.c, runs.c
    columns = {"level": _level(primary), "playbook": t.flow, "variant": r.variant}
    came, opened, clicked = (receipts.alias(kind) for kind in ("delivered", "opened", "clicked"))
    joined = touches.join(runs, r.id == t.run_id)
    for receipt in (came, opened, clicked):
        mine = and_(receipt.c.touch_id == t.id, receipt.c.kind == receipt.name, receipt.c.at < span.end)
        joined = joined.outerjoin(receipt, mine)
    sent = and_(t.state == "sent", t.channel.is_not(None), t.done_at < span.end)
    reached = and_(came.c.at.is_not(None), r.goal_at >= came.c.at, r.goal_at < span.end)
    labels = [func.coalesce(columns[name] if name in columns else t[name], "").label(f"by_{name}") for name in by]
    told = (sent, came.c.at.is_not(None), opened.c.at.is_not(None), clicked.c.at.is_not(None), reached)
    counted = [case((stage, t.user_id)).label(f"stage_{number}") for number, stage in enumerate(told)]
    inside = and_(t.first_due_at >= span.start, t.first_due_at < span.end, _any_step(steps))
    each = select(*labels, t.user_id, *counted).select_from(joined).where(inside).subquery()  # PostgreSQL groups by what stands there
    keys = [each.c[f"by_{name}"] for name in by]
    stages = [func.count(func.distinct(each.c[name])) for name in ("user_id", *(f"stage_{n}" for n in range(len(told))))]
    rows = tx.execute(select(*keys, *stages).group_by(*keys).order_by(*keys))
    return [Stages(tuple(row[: len(by)]), *(int(n) for n in row[len(by) :])) for row in rows]


def _any_step(steps: Sequence[tuple[str, str]]) -> Any:
    by_flow: dict[str, list[str]] = {}
    for flow, step in steps:
        by_flow.setdefault(flow, []).append(step)
    return or_(*(and_(touches.c.flow == flow, touches.c.step.in_(named)) for flow, named in by_flow.items()))


def untouched(tx: Connection, span: Span, model: str) -> dict[str | None, tuple[int, int]]:
    """By level at the end of the period: (users, those of them who were sent nothing in it)."""
    now, t = levels_at(model, span.last_day, "now"), touches.c
    touched = exists().where(
        t.user_id == now.c.user_id, t.state == "sent", t.channel.is_not(None), t.done_at >= span.start, t.done_at < span.end
    )
    counts = (func.count(), func.sum(case((touched, 0), else_=1)))
    rows = tx.execute(select(now.c.level, *counts).where(now.c.level.is_not(None)).group_by(now.c.level))
    return {row[0]: (int(row[1]), int(row[2])) for row in rows}


def undue(tx: Connection, span: Span, flow: str, steps: Sequence[str], model: str, level: str | None) -> tuple[int, int]:
    """(messages of these steps sent in the period, those whose user was in another level of the model at the intent)."""
    t, m = touches.c, moves.c
    then = select(m.new).where(m.user_id == t.user_id, m.model == model, m.at <= t.intent_at).order_by(m.id.desc()).limit(1)
    was = then.correlate(touches).scalar_subquery()
    sent = and_(t.flow == flow, t.step.in_(list(steps)), t.state == "sent", t.channel.is_not(None))
    each = select(was.label("was")).where(sent, t.intent_at >= span.start, t.intent_at < span.end).subquery()
    row = tx.execute(select(func.count(), func.sum(case((each.c.was.is_distinct_from(level), 1), else_=0))).select_from(each)).one()
    return int(row[0]), int(row[1] or 0)


def blocks(tx: Connection, span: Span, model: str) -> dict[str, int]:
    """By level at the end of the period ("": unscored): users who refused a channel, or everything, in it."""
    now, o = levels_at(model, span.last_day, "now"), opt_outs.c
    joined = opt_outs.outerjoin(now, now.c.user_id == o.user_id)
    level = func.coalesce(now.c.level, "")
    statement = select(level, func.count(func.distinct(o.user_id))).select_from(joined).where(left_in(o, span))
    return {row[0]: int(row[1]) for row in tx.execute(statement.group_by(level))}


def not_given_back(tx: Connection, kinds: Sequence[str], days: tuple[int, int], within: int) -> list[tuple[str, int]]:
    """(user, local day) of the latest survey on these days after which nothing was given within so many days."""
    e, g = events.c, grants.c
    given = exists().where(g.user_id == e.user_id, g.state.in_(STANDING), g.given_day >= e.day, g.given_day < e.day + within)
    asked = and_(e.kind.in_(list(kinds)), e.counted.is_(True), e.day >= days[0], e.day <= days[1])
    statement = select(users.c.key, func.max(e.day).label("day")).join(users, users.c.id == e.user_id).where(asked, ~given)
    rows = tx.execute(statement.group_by(users.c.key).order_by("day", users.c.key).limit(MOST))
    return [(row[0], int(row[1])) for row in rows]


def tasks_of(tx: Connection, start: datetime, end: datetime) -> tuple[int, int, int, int, int]:
    """Tasks made in a time: (all, done by its end, those of them late, still open at its end, those of them overdue)."""
    k = tasks.c
    done = and_(k.state == "done", k.done_at < end)
    open_ = or_(k.state == "open", k.done_at >= end)
    conditions = (done, and_(done, k.done_at > k.due_at), open_, and_(open_, k.due_at < end))
    counts = [func.sum(case((condition, 1), else_=0)) for condition in conditions]
    row = tx.execute(select(func.count(), *counts).where(k.created_at >= start, k.created_at < end)).one()
    return int(row[0]), int(row[1] or 0), int(row[2] or 0), int(row[3] or 0), int(row[4] or 0)


def unattended(tx: Connection, model: str, level: str, day: int, since: datetime, end: datetime) -> list[str]:
    """Users in a level at the end of a local day for whom no colleague had completed a task in a time."""
    now, k = levels_at(model, day, "now"), tasks.c
    met = exists().where(k.user_id == now.c.user_id, k.state == "done", k.done_at >= since, k.done_at < end)
    statement = select(users.c.key).join(now, now.c.user_id == users.c.id).where(now.c.level == level, ~met)
    return list(tx.execute(statement.order_by(users.c.key).limit(MOST)).scalars())
