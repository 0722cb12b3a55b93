"""Counts levels and lists users for reports: shares by level, who fell and rose, who is new and promising, who interacts most.

Levels of a day gone by come from the last move until then: one grouped pass over the moves of a model. Lists are cut in the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal_column, or_, select

from sop_engine.core.project import BUILT_IN_EVENTS
from sop_engine.store.cohorts import moves, users
from sop_engine.store.counting import Span
from sop_engine.store.dialect import dialect
from sop_engine.store.measuring import done_by_user, events

MOST = 1000  # users in one list


@dataclass(frozen=True, slots=True)
class Changed:
    """A user whose level is another one at the end of the period than at its beginning; None: unscored."""

    user: str
    before: str | None
    after: str | None
    day: int  # of the last move


def levels_at(model: str, day: int, name: str) -> Any:
    """The users (user_id, level, day of the move) who had been placed by the end of a local day, None for those unscored since."""
    last = select(func.max(moves.c.id)).where(moves.c.model == model, moves.c.day <= day).group_by(moves.c.user_id)
    return select(moves.c.user_id, moves.c.new.label("level"), moves.c.day).where(moves.c.id.in_(last)).subquery(name)


def changed(tx: Connection, span: Span, model: str, level: str, *, fell: bool) -> list[Changed]:
    """Users in the level when the period began and in another at its end (`fell`), or the other way round; by day and id."""
    then, now = levels_at(model, span.first_day - 1, "then"), levels_at(model, span.last_day, "now")
    joined = now.outerjoin(then, then.c.user_id == now.c.user_id).join(users, users.c.id == now.c.user_id)
    one, other = (then.c.level, now.c.level) if fell else (now.c.level, then.c.level)
    moved = and_(one == level, or_(other.is_(None), other != level))
    statement = select(users.c.key, then.c.level.label("before"), now.c.level.label("after"), now.c.day).select_from(joined).where(moved)
    rows = tx.execute(statement.order_by(now.c.day, users.c.key).limit(MOST))
    return [Changed(row[0], row[1], row[2], int(row[3])) for row in rows]


def _in_days(span: Span) -> ColumnElement[bool]:
    return and_(events.c.day >= span.first_day, events.c.day <= span.last_day)


def promising(
    tx: Connection, span: Span, model: str, kinds: Sequence[str], levels: Sequence[str], least: int
) -> list[tuple[str, int, int, str | None]]:
    """(user, day of joining, interactions, level at the end) of users new in the period: `least` interactions, or one of these levels."""
    e = events.c
    acted = select(e.user_id, func.count().label("many")).where(done_by_user(e, kinds), _in_days(span)).group_by(e.user_id).subquery()
    now = levels_at(model, span.last_day, "now")
    joined = users.outerjoin(acted, acted.c.user_id == users.c.id).outerjoin(now, now.c.user_id == users.c.id)
    many = func.coalesce(acted.c.many, 0)
    new = and_(users.c.joined_day >= span.first_day, users.c.joined_day <= span.last_day)
    statement = select(users.c.key, users.c.joined_day, many, now.c.level).select_from(joined)
    statement = statement.where(new, or_(many >= least, now.c.level.in_(list(levels))))
    rows = tx.execute(statement.order_by(many.desc(), users.c.key).limit(MOST))
    return [(row[0], int(row[1]), int(row[2]), row[3]) for row in rows]


@dataclass(frozen=True, slots=True)
class Engaged:
    """A user who interacted: how often, in how many ways, and the day of the last time."""

    user_id: int
    user: str
    many: int
    kinds: int
    last_day: int


def engaged(tx: Connection, days: tuple[int, int], kinds: Sequence[str], limit: int) -> list[Engaged]:
    """The users who interacted most on these local days, the most first, then the latest, then by id."""
    e, u = events.c, users.c
    inside = and_(done_by_user(e, kinds), e.day >= days[0], e.day <= days[1])
    many, last = func.count().label("many"), func.max(e.day).label("last_day")
    statement = select(u.id, u.key, many, func.count(func.distinct(e.kind)), last).join(users, u.id == e.user_id).where(inside)
    rows = tx.execute(statement.group_by(u.id, u.key).order_by(many.desc(), last.desc(), u.key).limit(limit))
    return [Engaged(row[0], row[1], int(row[2]), int(row[3]), int(row[4])) for row in rows]


def most_common(tx: Connection, ids: Sequence[int], kinds: Sequence[str], field: str, days: tuple[int, int]) -> dict[int, str]:
    """By user: the value of a field that their events of these kinds and days have most often; of equals the first in order."""
    e = events.c
    value: Any = literal_column(dialect(tx).field("events.fields", field, "text"))
    inside = and_(e.user_id.in_(list(ids)), done_by_user(e, kinds), e.day >= days[0], e.day <= days[1], value.is_not(None))
    counted = select(e.user_id, value.label("value"), func.count().label("many")).where(inside).group_by(e.user_id, value).subquery()
    c = counted.c
    found: dict[int, str] = {}
    for row in tx.execute(select(c.user_id, c.value).order_by(c.many.desc(), c.value)):
        found.setdefault(row.user_id, row.value)
    return found


def last_said(tx: Connection, ids: Sequence[int], kinds: Sequence[str], until: int) -> dict[int, str]:
    """By user: the text of their latest event of these kinds up to a local day, of those that have one."""
    e = events.c
    value: Any = literal_column(dialect(tx).field("events.fields", "text", "text"))
    last = select(func.max(e.id)).where(e.user_id.in_(list(ids)), e.kind.in_(list(kinds)), e.day <= until, value.is_not(None))
    rows = tx.execute(select(e.user_id, value).where(e.id.in_(last.group_by(e.user_id))))
    return {row[0]: row[1] for row in rows}


def concentration(tx: Connection, span: Span, kinds: Sequence[str], top: float) -> tuple[int, int, int]:
    """(users active in the period, what they did, what the most active part of them did): the part is rounded up to whole users."""
    e = events.c
    own = [kind for kind in kinds if kind not in BUILT_IN_EVENTS]
    each = select(e.user_id, func.count().label("many")).where(done_by_user(e, own), _in_days(span)).group_by(e.user_id).subquery()
    order = (each.c.many.desc(), each.c.user_id)
    place = func.row_number().over(order_by=order).label("place")
    r = select(each.c.many, place, func.count().over().label("users")).subquery().c
    row = tx.execute(select(func.count(), func.sum(r.many), func.sum(case((r.place < r.users * top + 1, r.many), else_=0)))).one()
    return int(row[0]), int(row[1] or 0), int(row[2] or 0)
