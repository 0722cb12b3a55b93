"""Reads facts of any set of users: attributes, metrics, tags, levels; and counts or lists those a condition holds for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from sop_engine.core.conditions import Condition, Ref, Value
from sop_engine.core.errors import NotFound
from sop_engine.core.models import ref_to
from sop_engine.core.project import BUILT_IN_ATTRIBUTES, Project
from sop_engine.store.derived import day_params
from sop_engine.store.dialect import run
from sop_engine.store.layers import Known, Layers, known
from sop_engine.store.metric_values import recompute
from sop_engine.store.scope import Scope

NEIGHBOUR = 4e-16
PIECES = 4  # a page is looked for in so many times as many users at once


@dataclass(frozen=True)
class Plan:
    """A query that reads names: its SQL, how each column becomes a value, and the stored columns whose window runs out by itself."""

    sql: str
    readers: tuple[tuple[str, Callable[[Any], Value]], ...]
    running_out: frozenset[str]


def read_facts(tx: Connection, project: Project, names: Iterable[str], scope: Scope, now: datetime) -> dict[int, dict[str, Value | None]]:
    """By user: the value of each name (`Ref.key`: a plain name, `T.before`, `T.days`), None where unknown. Raises NotFound."""
    if scope.is_empty:
        return {}
    asked = frozenset(names)
    if not asked and scope.user_ids is not None:
        return {user_id: {} for user_id in scope.user_ids}
    given = known(tx, project, now)
    plan = _plan(given, scope.shape, asked)
    if plan.running_out and scope.user_ids is not None:
        # A window in minutes or hours is brought up to date whenever somebody asks.
        recompute(tx, project, scope, now, only=set(plan.running_out))
    rows = run(tx, plan.sql, scope.params(given.to) | day_params(given.today))
    return {row[0]: {key: None if v is None else read(v) for (key, read), v in zip(plan.readers, row[1:], strict=True)} for row in rows}


@lru_cache(maxsize=128)
def _plan(given: Known, shape: Scope, names: frozenset[str]) -> Plan:
    refs = [ref_of(given.project, name) for name in sorted(names)]
    layers = Layers(given, shape)
    layers.add(refs)
    columns = "".join(f", {layers.read(r)}" for r in refs)
    readers = tuple((r.key, _READERS.get(r.kind, _as_it_is)) for r in refs)
    running_out = frozenset(a.column for a in layers.aggregates if a.exact is not None)
    return Plan(f"SELECT user_id{columns} FROM {layers.query()}", readers, running_out)


def count_audience(tx: Connection, project: Project, condition: Condition, now: datetime) -> int:
    """How many users the condition holds for."""
    layers = Layers(known(tx, project, now), Scope.everybody())
    where = layers.condition(condition)
    return int(run(tx, f"SELECT COUNT(*) FROM {layers.query()} WHERE {where}", layers.params).scalar_one())


def select_audience(
    tx: Connection, project: Project, condition: Condition, now: datetime, *, after_id: int = 0, limit: int = 1000
) -> list[int]:
    """A page of the users the condition holds for, by id: those with a larger id than `after_id`."""
    layers = Layers(known(tx, project, now), Scope.everybody())
    where = layers.condition(condition)
    last = run(tx, "SELECT COALESCE(MAX(id), 0) FROM users").scalar_one()
    found: list[int] = []
    while len(found) < limit and after_id < last:
        # A piece of the users at a time, so that a page costs the same wherever it lies.
        piece = (after_id, after_id + PIECES * limit)
        sql = f"SELECT user_id FROM {layers.query(ids=piece)} WHERE {where} ORDER BY user_id LIMIT {int(limit) - len(found)}"
        found += [row[0] for row in run(tx, sql, layers.params)]
        after_id = piece[1]
    return found


def ref_of(project: Project, key: str) -> Ref:
    """The typed reference for a key as it is written. Raises NotFound."""
    name, _, part = key.partition(".")
    if part in ("before", "days") and name in project.tiers:
        return Ref(f"tier_{part}", name, "level" if part == "before" else "number")
    known = (project.metrics, project.tags, project.tiers, project.attributes, BUILT_IN_ATTRIBUTES)
    if not any(key in names for names in known):
        raise NotFound(f"there is no attribute, metric, tag or tier '{key}' in this project.")
    return ref_to(project, key)


def _number(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    # SQLite's ROUND gives now and then the neighbour of the float that stands for the 6 decimals.
    six = round(value, 6)
    return Decimal(repr(six if abs(six - value) <= NEIGHBOUR * abs(value) else value))


def _date(value: Any) -> date:
    return date.fromordinal(int(value))


def _as_it_is(value: Any) -> Value:
    known: Value = value
    return known


_READERS: dict[str, Callable[[Any], Value]] = {"number": _number, "date": _date, "flag": bool}
