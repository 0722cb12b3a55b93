"""Counts what was promised and not yet used, and how long stocks of codes will last."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from sop_engine.core.grant_states import COUNTED
from sop_engine.core.stock import WEEK
from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import GrantRow, PoolRow, TouchRow

grants, pools, touches = table_of(GrantRow), table_of(PoolRow), table_of(TouchRow)


def promised(tx: Connection) -> Sequence[Row[Any]]:
    """(benefit, flow, level, state, many, cost, worth) of every benefit that was not given back."""
    c = grants.c
    level = func.coalesce(touches.c.level, "")
    statement = select(
        c.benefit, c.flow, level.label("level"), c.state, func.count().label("many"), func.sum(c.cost).label("cost"),
        func.sum(func.coalesce(c.worth, 0)).label("worth"),
    ).select_from(grants.join(touches, touches.c.id == c.touch_id))  # fmt: skip
    return tx.execute(statement.where(c.state != "released").group_by(c.benefit, c.flow, level, c.state)).all()


def stocks(tx: Connection, day: int) -> Sequence[Row[Any]]:
    """(name, size, taken, given): stocks that have an end, and how many of each were given in the week up to this local day."""
    g = grants.c
    lately = and_(g.pool == pools.c.name, g.kind == "code", g.state.in_((*COUNTED, "voided")), g.given_day > day - WEEK)
    mine = pools.c.name, pools.c.size, pools.c.taken
    statement = select(*mine, func.count(g.id).label("given")).select_from(pools.outerjoin(grants, lately))
    return tx.execute(statement.where(pools.c.size.is_not(None)).group_by(*mine).order_by(pools.c.name)).all()


def left_at(tx: Connection, pool: str, at: Any) -> tuple[int, int] | None:
    """(codes left, size) of a stock at a moment, by what was given until then; None where it has no end."""
    size = tx.execute(select(pools.c.size).where(pools.c.name == pool)).scalar()
    if size is None:
        return None
    g = grants.c
    given = select(func.count()).where(g.pool == pool, g.kind == "code", g.state != "released", g.given_at < at)
    return max(0, int(size) - int(tx.execute(given).scalar_one())), int(size)
