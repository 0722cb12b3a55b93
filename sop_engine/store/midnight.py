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


def sweep(tx: Connection, project: Project, day: date, now: datetime, scope: Scope | None = None) -> None:
    """Compute what changes because the local date becomes `day`: for each window, the users with an event at one of its edges.

    Afterwards every stored value is what a full recompute would give; of everybody, or of those in `scope` (everybody or between ids).
    """
    scope = scope or Scope.everybody()
    by_window: dict[tuple[tuple[int, int] | None, timedelta | None], list[Aggregate]] = {}
    for a in live_aggregates(project):
        by_window.setdefault((a.window, a.exact), []).append(a)
    for (window, exact), members in by_window.items():
        if _note_users(tx, scope, sorted({k for a in members for k in a.kinds}), _edges(day.toordinal(), window, exact)):
            if exact is not None:
                _leave_out_newer(tx, now)
            write_values(tx, project, Scope.table(EDGE_USERS), now, members, into=TABLE)


def _edges(today: int, window: tuple[int, int] | None, exact: timedelta | None) -> list[int]:
    """The days whose events enter or leave a window today."""
    if exact is not None:
        # Whatever was inside at some time since the midnight before.
        return [today - back for back in range(exact.days + 3)]
    # An event can be stored before its day comes; it counts from that day on.
    return [today] if window is None else [today - window[1], today - window[0] - 1]


def _note_users(tx: Connection, scope: Scope, kinds: Iterable[str], days: Iterable[int]) -> bool:
    """Fill the table of users with such an event on one of these days; whether there are any."""
    to = dialect(tx)
    run(tx, f"CREATE TEMP TABLE IF NOT EXISTS {EDGE_USERS} (user_id BIGINT PRIMARY KEY)")
    run(tx, f"{to.empty} {EDGE_USERS}")
    listed = ", ".join(str(day) for day in days)
    these = scope.inside(to, "user_id") or "TRUE"
    found = f"SELECT DISTINCT user_id FROM events WHERE day IN ({listed}) AND kind IN {to.one_of(kinds)} AND {these}"
    return run(tx, f"INSERT INTO {EDGE_USERS} {found}", scope.params(to)).rowcount > 0


def _leave_out_newer(tx: Connection, now: datetime) -> None:
    """A value of an exact length never goes back in time: who had an event taken in after this midnight was computed later than it."""
    to = dialect(tx)
    newer = f"SELECT 1 FROM events e WHERE e.user_id = {EDGE_USERS}.user_id AND e.received_at > {to.param('now')}"
    run(tx, f"DELETE FROM {EDGE_USERS} WHERE EXISTS ({newer})", {"now": to.instant(now)})
