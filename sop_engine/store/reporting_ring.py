"""Counts the ring of a shop: users who came, bought, came back and brought others; how fast a moment is reached, and a message follows.

Each query is one pass over the users of a cohort, joined to their events by user; medians are ordered in the database.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, literal_column, select

from sop_engine.core.conditions import Condition
from sop_engine.core.project import Project
from sop_engine.store.cohorts import moves, users
from sop_engine.store.counting import Span
from sop_engine.store.dialect import dialect
from sop_engine.store.event_sql import EventSql
from sop_engine.store.expressions import Read, condition_sql
from sop_engine.store.measuring import done_by_user, events, runs, touches


def _middle(tx: Connection, column: Any) -> float | None:
    """The median of a column of a sub-query, without its unknown values: the mean of the middle two of an even number."""
    source = select(column.label("v")).where(column.is_not(None)).subquery()
    place = func.row_number().over(order_by=source.c.v).label("place")
    r = select(source.c.v, place, func.count().over().label("many")).subquery().c
    middle = and_(2 * r.place >= r.many, 2 * r.place <= r.many + 2)
    found = tx.execute(select(func.avg(r.v)).where(middle)).scalar()
    return None if found is None else float(found)


def reached(
    tx: Connection, project: Project, joined: tuple[int, int], kinds: Sequence[str], within: int, where: Condition | None = None
) -> tuple[int, int, float | None]:
    """(users who joined on these local days, of them who did one of these within so many days after, their median days to it)."""
    one, u = events.alias("e"), users.c
    e = one.c
    done = and_(e.user_id == u.id, done_by_user(e, kinds), e.day >= u.joined_day, e.day <= u.joined_day + within)
    if where is not None:
        sql = EventSql(dialect(tx), project)
        fits: Any = literal_column(condition_sql(sql.to, where, Read(lambda ref: sql.value(tuple(kinds), ref.name, ref.kind))))
        done = and_(done, fits)
    first = select(func.min(e.day)).where(done).correlate(users).scalar_subquery()
    cohort = and_(u.joined_day >= joined[0], u.joined_day <= joined[1])
    each = select((first - u.joined_day).label("days")).where(cohort).subquery()
    many, came = tx.execute(select(func.count(), func.count(each.c.days)).select_from(each)).one()
    return int(many), int(came), _middle(tx, each.c.days)


def ring(
    tx: Connection, span: Span, purchase: str, active: Sequence[str], inviter: tuple[str, str] | None
) -> tuple[int, int, int, int, int]:
    """Users who joined in the period, those of them who bought in it, who were active on a day after that, who brought somebody; and whom.

    `inviter` is (event, field): the event of whoever came, with the id of who brought them. Without it the last two are 0.
    """
    e, u = events.c, users.c
    until = e.day <= span.last_day
    first = select(func.min(e.day)).where(e.user_id == u.id, done_by_user(e, [purchase]), until).correlate(users).scalar_subquery()
    cohort = and_(u.joined_day >= span.first_day, u.joined_day <= span.last_day)
    each = select(u.id, u.key, first.label("bought")).where(cohort).subquery("each_one")
    later = events.alias("later")
    back = select(later.c.id).where(later.c.user_id == each.c.id, done_by_user(later.c, active), later.c.day > each.c.bought)
    stays = back.where(later.c.day <= span.last_day).correlate(each).exists()
    acquired, converted = tx.execute(select(func.count(), func.count(each.c.bought)).select_from(each)).one()
    retained = select(each.c.key).where(each.c.bought.is_not(None), stays).subquery("retained")
    kept = tx.execute(select(func.count()).select_from(retained)).scalar_one()
    who, whom = _brought(tx, span, retained, inviter) if inviter else (0, 0)
    return int(acquired), int(converted), int(kept), who, whom


def _brought(tx: Connection, span: Span, retained: Any, inviter: tuple[str, str]) -> tuple[int, int]:
    e = events.c
    by: Any = literal_column(dialect(tx).field("events.fields", inviter[1], "text"))
    inside = and_(e.kind == inviter[0], e.counted.is_(True), e.day >= span.first_day, e.day <= span.last_day)
    came = select(by.label("inviter"), e.user_id).where(inside).subquery("came")
    joined = came.join(retained, retained.c.key == came.c.inviter)
    row = tx.execute(select(func.count(func.distinct(came.c.inviter)), func.count(func.distinct(came.c.user_id))).select_from(joined)).one()
    return int(row[0]), int(row[1])


def latencies(tx: Connection, span: Span) -> list[tuple[datetime, datetime]]:
    """(event, first message) of runs begun in the period by a move that an event caused: from the deed over the level to the send."""
    r, m, t, e = runs.c, moves.c, touches.c, events.c
    sent = select(t.run_id, func.min(t.done_at).label("at")).where(t.state == "sent", t.channel.is_not(None)).group_by(t.run_id).subquery()
    joined = runs.join(moves, and_(m.user_id == r.user_id, m.at == r.started_at, m.event_id.is_not(None)))
    joined = joined.join(events, e.id == m.event_id).join(sent, sent.c.run_id == r.id)
    inside = and_(r.started_at >= span.start, r.started_at < span.end, sent.c.at < span.end)
    rows = tx.execute(select(r.id, func.min(e.at), func.min(sent.c.at)).select_from(joined).where(inside).group_by(r.id))
    return [(row[1], row[2]) for row in rows]
