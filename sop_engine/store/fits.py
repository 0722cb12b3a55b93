"""Remembers the frozen population numbers of fitted metrics, and gives the values of the population they are made from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert

from sop_engine.core.calendar import local_day, midnight
from sop_engine.core.conditions import Ref
from sop_engine.core.metrics import Fit, Metric
from sop_engine.core.models import ref_to
from sop_engine.core.project import Project
from sop_engine.core.rows import Rows
from sop_engine.store.dialect import run
from sop_engine.store.event_sql import EventSql
from sop_engine.store.frozen import Stored, definition_of, fits, forget, latest_fits
from sop_engine.store.layers import Layers, known
from sop_engine.store.metric_values import write_values
from sop_engine.store.scope import Scope

__all__ = ["Stored", "definition_of", "examples_for", "latest_fits", "save_fit", "values_for"]

PAST = "past_metrics"
MOST_LEARNT_FROM = 200_000  # users of whom a cluster or a score learns: more change its numbers in the third digit
PAGE = 2_000


def save_fit(tx: Connection, metric: Metric, fit: Fit, now: datetime) -> None:
    """Keep a fit; it is used from now on."""
    tx.execute(delete(fits).where(fits.c.metric == metric.name, fits.c.fitted_at == now))
    forget(tx, metric.name, now)
    tx.execute(insert(fits), {"metric": metric.name, "fitted_at": now, "definition": definition_of(metric), "fit": asdict(fit)})


def values_for(tx: Connection, project: Project, metric: Metric, now: datetime) -> Rows:
    """The values, in the order of `metric.of`, of everybody who takes part and has them all; of a cluster of some of very many."""
    layers = Layers(known(tx, project, now), Scope.everybody())
    columns, where = _taking_part(layers, metric)
    some = _some(tx) if metric.verb == "cluster" else ""
    sql = f"SELECT {', '.join(columns)} FROM {layers.query()} WHERE {where}{some}"
    return Rows(len(columns), _streamed(tx, sql, layers.params))


def examples_for(tx: Connection, project: Project, metric: Metric, now: datetime) -> tuple[Rows, list[bool]]:
    """What a `score` learns from: users' values as they were `within` days ago, and whether what it predicts came true since.

    The stored columns of that day are computed anew from the log, into a table of their own. Of very many users some are enough.
    """
    days = metric.within.days if metric.within and metric.within.days else 30
    past = date.fromordinal(local_day(now, project.zone).toordinal() - days)
    layers = Layers(known(tx, project, midnight(past, project.zone)), Scope.everybody(), metrics=PAST)
    joined = Ref("attribute", "joined", "date")
    layers.add([joined])
    columns, where = _taking_part(layers, metric)
    fill_past(tx, layers)
    came_true = _came_true(layers, metric)
    there = f"{layers.read(joined)} <= {layers.deriving.now}"
    sql = f"SELECT {', '.join(columns)}, {came_true} FROM {layers.query()} WHERE {where} AND {there}"
    examples, labels = Rows(len(columns)), []
    for row in _streamed(tx, sql + _some(tx), {**layers.params, "later": past.toordinal() + days}):
        examples.add(row[:-1])
        labels.append(bool(row[-1]))
    return examples, labels


def _some(tx: Connection) -> str:
    """Of more than MOST_LEARNT_FROM users every second, third …, by id, so that neither memory nor time grow with them."""
    users = int(run(tx, "SELECT COUNT(*) FROM users").scalar_one())
    every = -(-users // MOST_LEARNT_FROM)
    return f" AND user_id - user_id / {every} * {every} = 0" if every > 1 else ""  # `%` means something else to a driver


def _streamed(tx: Connection, sql: str, params: Mapping[str, Any]) -> Iterator[Any]:
    """The rows, a page at a time: the driver keeps no more."""
    return iter(tx.exec_driver_sql(sql, dict(params), execution_options={"yield_per": PAGE}))


def _taking_part(layers: Layers, metric: Metric) -> tuple[Sequence[str], str]:
    """The columns of the values, and who has them and takes part."""
    refs = [ref_to(layers.project, name) for name in metric.of]
    layers.add(refs)
    columns = [layers.read(r) for r in refs]
    known = " AND ".join(f"{c} IS NOT NULL" for c in columns)
    return columns, known if metric.only is None else f"{known} AND {layers.condition(metric.only)}"


def fill_past(tx: Connection, layers: Layers) -> None:
    """Compute the stored columns these layers read as they were on their day, into the temporary table PAST."""
    types = "".join(f", {a.column} {layers.to.types[a.kind]}" for a in layers.aggregates)
    run(tx, f"DROP TABLE IF EXISTS {PAST}")
    run(tx, f"CREATE TEMP TABLE {PAST} (user_id BIGINT PRIMARY KEY{types})")
    if layers.aggregates:
        at = midnight(date.fromordinal(layers.params["today"]), layers.project.zone)
        write_values(tx, layers.project, Scope.everybody(), at, layers.aggregates, into=PAST)


def _came_true(layers: Layers, metric: Metric) -> str:
    name, negated = metric.predicts or ("", False)
    kinds = layers.project.groups.get(name, (name,))
    events = EventSql(layers.to, layers.project)
    events.today = layers.to.param("later")
    seen = f"{events.seen(kinds, by_anybody=False)} AND e.day > {layers.deriving.now}"
    return f"user_id {'NOT ' if negated else ''}IN (SELECT e.user_id FROM events e WHERE {seen})"
