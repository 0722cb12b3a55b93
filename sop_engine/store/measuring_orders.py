"""Counts orders, money and days of activity of groups of users: concentration, cohorts, who entered a level and what they did.

Every query is one pass over the events of a window (or over the moves of one level joined to events by user); ranking buyers by
revenue sorts them once in the database. A few numbers come back, or a row for each day of registration.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, and_, case, exists, func, literal_column, select

from sop_engine.store.cohorts import moves, users
from sop_engine.store.counting import Span
from sop_engine.store.dialect import dialect
from sop_engine.store.measuring import done_by_user, events


@dataclass(frozen=True, slots=True)
class Concentration:
    """Revenue of a window: of all buyers, of the top ones; and how many buyers, the largest first, give a share of it."""

    buyers: int
    revenue: Decimal
    top_buyers: int
    top_revenue: Decimal
    needed: int


def _amount(tx: Connection, field: str) -> ColumnElement[Any]:
    """What is left of an order's money after partial refunds."""
    return literal_column(f"({dialect(tx).field('events.fields', field, 'number')} - events.lowered)")


def _in_days(first: int, last: int) -> ColumnElement[bool]:
    return and_(events.c.day >= first, events.c.day <= last)


def _revenue(tx: Connection, span: Span, purchase: tuple[str, str]) -> Any:
    e = events.c
    total = func.sum(_amount(tx, purchase[1])).label("money")
    bought = and_(done_by_user(e, [purchase[0]]), _in_days(span.first_day, span.last_day))
    return select(e.user_id, total, func.count().label("orders")).where(bought).group_by(e.user_id).subquery("buyers")


def concentration(tx: Connection, span: Span, purchase: tuple[str, str], top: float, of_revenue: float) -> Concentration:
    """How much of the revenue the top share of buyers gives (rounded up to whole buyers), and how many give `of_revenue` of it."""
    b = _revenue(tx, span, purchase)
    order = (b.c.money.desc(), b.c.user_id)
    place = func.row_number().over(order_by=order).label("place")
    so_far = func.sum(b.c.money).over(order_by=order, rows=(None, 0)).label("so_far")
    whole = (func.count().over().label("many"), func.sum(b.c.money).over().label("whole"))
    ranked = select(b.c.money, place, so_far, *whole).subquery()
    r = ranked.c
    at_top = r.place < r.many * top + 1  # rounded up: one buyer of three is the top fifth
    before = r.so_far - r.money < r.whole * of_revenue
    counts = (func.count(), func.sum(r.money), func.sum(case((at_top, 1), else_=0)), func.sum(case((at_top, r.money), else_=0)))
    row = tx.execute(select(*counts, func.sum(case((before, 1), else_=0)))).one()
    return Concentration(int(row[0]), Decimal(str(row[1] or 0)), int(row[2] or 0), Decimal(str(row[3] or 0)), int(row[4] or 0))


def buyers(tx: Connection, span: Span, purchase: tuple[str, str], group: FromClause | None = None) -> tuple[int, float, int]:
    """(buyers, their revenue, those with two orders and more) of the window; of a group of users, or of all."""
    b = _revenue(tx, span, purchase)
    source = b if group is None else b.join(group, group.c.user_id == b.c.user_id)
    again = func.sum(case((b.c.orders >= 2, 1), else_=0))
    many, money, twice = tx.execute(select(func.count(), func.sum(b.c.money), again).select_from(source)).one()
    return int(many), float(money or 0), int(twice or 0)


def doers(tx: Connection, group: FromClause | None, kinds: Sequence[str], days: tuple[int, int]) -> tuple[int, int]:
    """(users who did one of these on these local days, how often) of a group of users, or of all."""
    e = events.c
    source: Any = events if group is None else events.join(group, group.c.user_id == e.user_id)
    statement = select(func.count(func.distinct(e.user_id)), func.count()).select_from(source)
    many, often = tx.execute(statement.where(done_by_user(e, kinds), _in_days(*days))).one()
    return int(many), int(often)


def cohorts(tx: Connection, span: Span, kinds: Sequence[str], after: int) -> list[tuple[int, int, int]]:
    """(local day of registration, users, those active on exactly the `after`-th day after it), by day."""
    e, u = events.c, users.c
    active = exists().where(e.user_id == u.id, done_by_user(e, kinds), e.day == u.joined_day + after)
    statement = select(u.joined_day, func.count(), func.sum(case((active, 1), else_=0)))
    inside = and_(u.joined_day >= span.first_day, u.joined_day <= span.last_day)
    return [(int(r[0]), int(r[1]), int(r[2])) for r in tx.execute(statement.where(inside).group_by(u.joined_day).order_by(u.joined_day))]


def _entered(span: Span, model: str, level: str) -> Any:
    """(user_id, day) of who entered a level in the window, by the first time they did."""
    m = moves.c
    mine = and_(m.model == model, m.new == level, m.day >= span.first_day, m.day <= span.last_day)
    return select(m.user_id, func.min(m.day).label("day")).where(mine).group_by(m.user_id).subquery("entered")


def entered_and_did(
    tx: Connection, span: Span, at: tuple[str, str], kinds: Sequence[str], within: int, closed: int
) -> tuple[int, int, int]:
    """(users who entered a level and whose days are over, of them who did one of these within so many days, users too young)."""
    entered, e = _entered(span, *at), events.c
    did = exists().where(e.user_id == entered.c.user_id, done_by_user(e, kinds), e.day >= entered.c.day, e.day <= entered.c.day + within)
    old = entered.c.day <= closed - within
    counts = (func.count(), func.sum(case((old, 1), else_=0)), func.sum(case((and_(old, did), 1), else_=0)))
    everyone, mature, back = tx.execute(select(*counts).select_from(entered)).one()
    return int(mature or 0), int(back or 0), int(everyone) - int(mature or 0)


def orders_around(
    tx: Connection, span: Span, at: tuple[str, str], purchase: tuple[str, str], days: int, closed: int
) -> tuple[tuple[float, int], tuple[float, int], int]:
    """((revenue, orders) in so many days from the day users entered a level on, the same in the days before, users too young)."""
    entered, e = _entered(span, *at), events.c
    apart = e.day - entered.c.day
    amount = _amount(tx, purchase[1])
    after, before = and_(apart >= 0, apart < days), and_(apart < 0, apart >= -days)
    counts = [func.sum(case((when, what), else_=0)) for when in (after, before) for what in (amount, 1)]
    old = entered.c.day <= closed - days + 1
    joined = events.join(entered, entered.c.user_id == e.user_id)
    row = tx.execute(select(*counts).select_from(joined).where(old, done_by_user(e, [purchase[0]]), apart >= -days, apart < days)).one()
    young = tx.execute(select(func.count()).select_from(entered).where(~old)).scalar_one()
    return (float(row[0] or 0), int(row[1] or 0)), (float(row[2] or 0), int(row[3] or 0)), int(young)
