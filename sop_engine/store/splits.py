"""Counts users by the values of a dimension and an outcome, in one grouped statement: a row for each value comes back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from sop_engine.core.conditions import Condition, Ref
from sop_engine.core.project import Project
from sop_engine.core.stats.splits import Group
from sop_engine.store.dialect import run
from sop_engine.store.layers import Layers, known
from sop_engine.store.scope import Scope

FIRST_CHANNEL = "(SELECT e.source FROM events e WHERE e.user_id = f.user_id ORDER BY e.at, e.id LIMIT 1)"
MOST = 200  # values of a dimension
Counted = dict[str | None, Group]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a dimension (None: the source of a user's first event), a condition or a number, among whom, in which groups."""

    dimension: Ref | None
    outcome: Condition | Ref
    within: Condition
    only: tuple[str, ...] = ()  # groups; none: all of them


def count_split(tx: Connection, project: Project, asked: Question, now: datetime) -> Counted:
    """By value of the dimension: its users, and how many of them fit the outcome, or their ranks, mean and median where it is a number.

    Users without the number are none. The largest MOST values and one more.
    """
    dimension, outcome = asked.dimension, asked.outcome
    layers = Layers(known(tx, project, now), Scope.everybody())
    refs = [ref for ref in (dimension, outcome) if isinstance(ref, Ref)]
    layers.add(refs)
    where = layers.condition(asked.within)
    value = FIRST_CHANNEL if dimension is None else layers.read(dimension)
    named, inside = named_sql(dimension, value), f" AND g IN {layers.to.one_of(asked.only)}" if asked.only else ""
    if isinstance(outcome, Ref):
        sql = _ranked(named, layers.read(outcome), f"{layers.query()} WHERE {where}", inside)
    else:
        holds = layers.condition(outcome)
        sql = (
            f"SELECT g, COUNT(*), SUM(CASE WHEN y THEN 1 ELSE 0 END), 0, 0, NULL, NULL FROM "
            f"(SELECT {named} AS g, {holds} AS y FROM {layers.query()} WHERE {where}) a WHERE TRUE{inside} GROUP BY g"
        )
    rows = run(tx, f"{sql} ORDER BY COUNT(*) DESC, g LIMIT {MOST + 2}", layers.params)
    return {row[0]: _group(row) for row in rows}


def named_sql(dimension: Ref | None, value: str) -> str:
    """The value of a dimension as text, NULL where it is unknown; a missing flag is no."""
    flag = dimension is not None and dimension.kind == "flag"
    return f"CASE WHEN {value} THEN 'yes' ELSE 'no' END" if flag else f"NULLIF({value}, '')"


def _group(row: Any) -> Group:
    name, users, yes, ranks, ties, mean, median = row
    known_mean, known_median = (None if value is None else float(value) for value in (mean, median))
    return Group(name or "", int(users), int(yes), float(ranks), float(ties), known_mean, known_median)


def _ranked(named: str, value: str, users: str, inside: str) -> str:
    """Equal users share the middle of their places; ranks are among those of whom both the dimension and the number are known."""
    these = f"SELECT {named} AS g, {value} AS v FROM {users}"
    known_ones = f"SELECT g, v FROM ({these}) b WHERE v IS NOT NULL{inside}"
    placed = (
        "SELECT g, v, COUNT(*) OVER (PARTITION BY v, g IS NULL) AS t, RANK() OVER (PARTITION BY g IS NULL ORDER BY v) AS r, "
        f"ROW_NUMBER() OVER (PARTITION BY g ORDER BY v) AS i, COUNT(*) OVER (PARTITION BY g) AS n FROM ({known_ones}) c"
    )
    middle = "AVG(CASE WHEN i IN ((n + 1) / 2, (n + 2) / 2) THEN v END)"
    return f"SELECT g, COUNT(*), 0, SUM(r + (t - 1) / 2.0), SUM(1.0 * t * t - 1), AVG(v), {middle} FROM ({placed}) d GROUP BY g"
