"""Remembers the stored metric values: one wide row per user, always computed exactly from the events, for any set of users."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from sop_engine.core.calendar import local_day
from sop_engine.core.project import Project
from sop_engine.store.aggregates import ZERO_OF_NOTHING, Aggregate, live_aggregates
from sop_engine.store.dialect import Dialect, dialect, run
from sop_engine.store.event_sql import exact_param
from sop_engine.store.metric_queries import MetricQueries
from sop_engine.store.scope import Scope

TABLE = "user_metrics"


def prepare(tx: Connection, project: Project) -> set[str]:
    """Add the columns the project needs and the table lacks; their names: they are empty until `recompute`. Nothing is dropped."""
    to = dialect(tx)
    there = to.columns_of(tx, TABLE)
    new = {a.column: to.types[a.kind] for a in live_aggregates(project) if a.column not in there}
    for column, type_ in new.items():
        run(tx, f"ALTER TABLE {TABLE} ADD COLUMN {column} {type_}")
    return set(new)


def recompute(tx: Connection, project: Project, scope: Scope, now: datetime, *, only: set[str] | None = None) -> None:
    """Compute the stored values of these users from the events up to the local day of `now`; of all columns, or of `only` some."""
    wanted = [a for a in live_aggregates(project) if only is None or a.column in only]
    if wanted and not scope.is_empty:
        write_values(tx, project, scope, now, wanted, into=TABLE)


def write_values(tx: Connection, project: Project, scope: Scope, now: datetime, wanted: Iterable[Aggregate], *, into: str) -> None:
    """Compute columns into a table with user_id as its key."""
    to, aggregates = dialect(tx), tuple(wanted)
    params = scope.params(to) | moment_params(to, project, aggregates, now)
    run(tx, _writing(to, project, scope.shape, aggregates, into), params)


@lru_cache(maxsize=256)
def _writing(to: Dialect, project: Project, shape: Scope, aggregates: tuple[Aggregate, ...], into: str) -> str:
    queries = MetricQueries(to, project, shape)
    queries.add(aggregates)
    columns = [a.column for a in aggregates]
    users, these = shape.joined(to, "users", "u", "id")
    joins = " ".join(f"LEFT JOIN {name} ON {name}.user_id = u.id" for name in queries.sources)
    values = ", ".join(
        f"COALESCE({queries.columns[a.column]}, 0)" if a.what in ZERO_OF_NOTHING else queries.columns[a.column] for a in aggregates
    )
    written = ", ".join(f"{c} = excluded.{c}" for c in columns)
    return (
        f"INSERT INTO {into} (user_id, {', '.join(columns)}) {'WITH ' if queries.with_ else ''}{', '.join(queries.with_)} "
        f"SELECT u.id, {values} FROM {users} {joins} WHERE {these} ORDER BY u.id ON CONFLICT (user_id) DO UPDATE SET {written}"
    )


def moment_params(to: Dialect, project: Project, aggregates: Iterable[Aggregate], now: datetime) -> dict[str, Any]:
    """The parameters that say when: the local day, the instant, and where windows of exact length begin."""
    exact = {a.exact for a in aggregates if a.exact is not None}
    begins = {exact_param(length): to.instant(now - length) for length in exact}
    return {"today": local_day(now, project.zone).toordinal(), "now": to.instant(now), **begins}
