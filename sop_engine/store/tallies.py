"""Counts what is stored, for reports: levels now and on past days, moves, codes."""

from datetime import date, datetime

from sqlalchemy import Connection, and_, func, select

from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import PoolRow
from sop_engine.store.tables import MoveRow, PlacementRow, UserRow

users = table_of(UserRow)
placements = table_of(PlacementRow)
moves = table_of(MoveRow)
pools = table_of(PoolRow)

Levels = dict[str | None, int]


def count_users(tx: Connection, *, on: date | None = None) -> int:
    """How many users there are; with `on`, how many had joined by that local day."""
    statement = select(func.count()).select_from(users)
    if on is not None:
        statement = statement.where(users.c.joined_day <= on.toordinal())
    return int(tx.execute(statement).scalar_one())


def levels_now(tx: Connection, model: str) -> Levels:
    """Users by level of a model; None is everybody without one."""
    c = placements.c
    rows = tx.execute(select(c.level, func.count()).where(c.model == model, c.level.is_not(None)).group_by(c.level))
    found: Levels = {level: int(many) for level, many in rows}
    return {**found, None: max(0, count_users(tx) - sum(found.values()))}


def levels_on(tx: Connection, model: str, on: date) -> Levels:
    """Users by level of a model at the end of a local day, from the moves; None is everybody else who had joined by then."""
    last = select(func.max(moves.c.id)).where(moves.c.model == model, moves.c.day <= on.toordinal()).group_by(moves.c.user_id)
    rows = tx.execute(select(moves.c.new, func.count()).where(moves.c.id.in_(last), moves.c.new.is_not(None)).group_by(moves.c.new))
    found: Levels = {level: int(many) for level, many in rows}
    return {**found, None: max(0, count_users(tx, on=on) - sum(found.values()))}


def move_counts(tx: Connection, model: str, since: date, until: date) -> list[tuple[str | None, str | None, str, int]]:
    """(from, to, cause, how many) of the moves on these local days, both included."""
    c = moves.c
    inside = and_(c.model == model, c.day >= since.toordinal(), c.day <= until.toordinal())
    statement = select(c.old, c.new, c.cause, func.count()).where(inside).group_by(c.old, c.new, c.cause).order_by(func.count().desc())
    return [(r[0], r[1], r[2], int(r[3])) for r in tx.execute(statement)]


def moves_at(tx: Connection, cause: str, at: datetime) -> dict[tuple[str, str | None], int]:
    """By (model, new level): the moves with this cause at exactly this moment."""
    c = moves.c
    statement = select(c.model, c.new, func.count()).where(c.cause == cause, c.at == at).group_by(c.model, c.new)
    return {(model, new): int(many) for model, new, many in tx.execute(statement)}


def pool_counts(tx: Connection) -> dict[str, tuple[str, int | None, int]]:
    """By pool: generated or uploaded, its size (None without end), and codes taken."""
    return {row.name: (row.kind, row.size, row.taken) for row in tx.execute(select(pools).order_by(pools.c.name))}
