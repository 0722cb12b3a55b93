"""Decides which users belong to a group on a day gone by: of a level from its moves, of a condition from the log of that day."""

from datetime import date

from sqlalchemy import Connection, FromClause, column, func, select, table

from sop_engine.core.calendar import midnight
from sop_engine.core.conditions import Condition
from sop_engine.core.project import Project
from sop_engine.store.columns import table_of
from sop_engine.store.dialect import run
from sop_engine.store.fits import PAST, fill_past
from sop_engine.store.layers import Layers, known
from sop_engine.store.scope import Scope
from sop_engine.store.tables import MoveRow, UserRow

moves = table_of(MoveRow)
users = table_of(UserRow)

Group = FromClause
"""Users, as something to select `user_id` from."""


def at_level(model: str, levels: tuple[str, ...], day: int) -> Group:
    """The users (column user_id) who were in one of these levels at the end of a local day: their last move says so."""
    last = select(func.max(moves.c.id)).where(moves.c.model == model, moves.c.day <= day).group_by(moves.c.user_id)
    return select(moves.c.user_id).where(moves.c.id.in_(last), moves.c.new.in_(levels)).subquery()


def holding(tx: Connection, project: Project, condition: Condition, day: int, name: str) -> Group:
    """The users (column user_id) the condition held for at the end of a local day, in a temporary table of this name.

    The stored columns are computed anew from the log as of that day: one pass over the log, whatever the number of days. Attributes
    and levels are those of today, for their past is not kept by day.
    """
    layers = Layers(known(tx, project, midnight(date.fromordinal(day), project.zone)), Scope.everybody(), metrics=PAST)
    where = layers.condition(condition)
    fill_past(tx, layers)
    run(tx, f"DROP TABLE IF EXISTS {name}")
    joined = f"user_id IN (SELECT id FROM users WHERE joined_day <= {int(day)})"
    run(tx, f"CREATE TEMP TABLE {name} (user_id BIGINT PRIMARY KEY)")
    run(tx, f"INSERT INTO {name} SELECT user_id FROM {layers.query()} WHERE {where} AND {joined}", layers.params)
    return table(name, column("user_id"))


def size(tx: Connection, group: Group) -> int:
    """How many users a group has."""
    return int(tx.execute(select(func.count()).select_from(group)).scalar_one())


def everybody(day: int) -> Group:
    """The users (column user_id) who had joined by the end of a local day."""
    return select(users.c.id.label("user_id")).where(users.c.joined_day <= day).subquery()


def both_at_level(tx: Connection, model: str, level: str, days: tuple[int, int]) -> tuple[int, int]:
    """(users in a level at the end of the first of two local days, those of them who are in it at the end of the second)."""
    then, now = at_level(model, (level,), days[0]), at_level(model, (level,), days[1])
    kept = select(func.count()).select_from(then.join(now, now.c.user_id == then.c.user_id))
    return size(tx, then), int(tx.execute(kept).scalar_one())
