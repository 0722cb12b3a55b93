"""Remembers which stored values change when an event comes or a day begins, and computes just those."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache

from sqlalchemy import Connection

from sop_engine.core.project import Project
from sop_engine.store.aggregates import Aggregate, live_aggregates
from sop_engine.store.dialect import dialect, run
from sop_engine.store.metric_values import TABLE, recompute, write_values
from sop_engine.store.scope import Scope

EDGE_USERS = "edge_users"


def recompute_after(tx: Connection, project: Project, scope: Scope, now: datetime, kinds: Iterable[str]) -> None:
    """Compute the stored values of users to whom events of these kinds happened: the columns that look at them."""
    recompute(tx, project, scope, now, only=set(columns_reading(project, frozenset(kinds))))


@lru_cache(maxsize=256)
def columns_reading(project: Project, kinds: frozenset[str]) -> frozenset[str]:
    """Columns that may change with events of these kinds (also by taking others back), and those with windows of exact length."""
    taken_back = {e.name for e in project.events.values() if e.undone_by is not None and e.undone_by[0] in kinds}
    seen = kinds | taken_back
    return frozenset(a.column for a in live_aggregates(project) if a.exact is not None or not seen.isdisjoint(a.kinds))


def sweep(tx: Connection, project: Project, day: date, now: datetime) -> None:
    """Compute what changes because the local date becomes `day`: for each window, the users with an event at one of its edges.

    Afterwards every stored value is what a full recompute would give.
    """
    by_window: dict[tuple[tuple[int, int] | None, timedelta | None], list[Aggregate]] = {}
    for a in live_aggregates(project):
        by_window.setdefault((a.window, a.exact), []).append(a)
    for (window, exact), members in by_window.items():
        if _note_users(tx, sorted({k for a in members for k in a.kinds}), _edges(day.toordinal(), window, exact)):
            write_values(tx, project, Scope.table(EDGE_USERS), now, members, into=TABLE)


def _edges(today: int, window: tuple[int, int] | None, exact: timedelta | None) -> list[int]:
    """The days whose events enter or leave a window today."""
    if exact is not None:
        # Whatever was inside at some time since the midnight before.
        return [today - back for back in range(exact.days + 3)]
    # An event can be stored before its day comes; it counts from that day on.
    return [today] if window is None else [today - window[1], today - window[0] - 1]


def _note_users(tx: Connection, kinds: Iterable[str], days: Iterable[int]) -> bool:
    """Fill the table of users with such an event on one of these days; whether there are any."""
    to = dialect(tx)
    run(tx, f"CREATE TEMP TABLE IF NOT EXISTS {EDGE_USERS} (user_id BIGINT PRIMARY KEY)")
    run(tx, f"{to.empty} {EDGE_USERS}")
    listed = ", ".join(str(day) for day in days)
    found = f"SELECT DISTINCT user_id FROM events WHERE day IN ({listed}) AND kind IN {to.one_of(kinds)}"
    return run(tx, f"INSERT INTO {EDGE_USERS} {found}").rowcount > 0
