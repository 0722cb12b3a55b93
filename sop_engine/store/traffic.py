"""Counts touches, attempts and runs without reading what is many: along partial indexes, and never more rows than a bound."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, text

from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import TouchRow

COUNTED = 20_000  # more are `so many or more`
NEWEST = 20_000  # attempts, newest first
CHANGES = 5_000  # changes of touches, newest first
HOUR = timedelta(hours=1)
_TIME = table_of(TouchRow).c.due_at.type

_HELD = "SELECT state, COUNT(*) AS number, MIN(due_at) AS due FROM touches WHERE state IN ('queued', 'sending') GROUP BY state"
_ATTEMPTS = (
    "SELECT channel, outcome, COUNT(*) AS number, MIN(began_at) AS first FROM (SELECT channel, outcome, began_at FROM attempts "
    "WHERE began_at > :since ORDER BY began_at DESC LIMIT :most) AS newest GROUP BY channel, outcome"
)
_SKIPPED = (  # CROSS JOIN: from the few changes to their touches, never the other way
    "SELECT t.reason, COUNT(*) AS number FROM (SELECT touch_id, new FROM touch_changes ORDER BY id DESC LIMIT :most) AS c "
    "CROSS JOIN touches AS t WHERE t.id = c.touch_id AND c.new = 'skipped' AND t.done_at > :since GROUP BY t.reason"
)
PLANNED, UNKNOWN, OPEN = "state = 'planned'", "state = 'unknown'", "state = 'open'"


def held(tx: Connection) -> tuple[dict[str, int], datetime | None]:
    """How many touches are queued and sending, and when the first of them was due."""
    rows = tx.execute(text(_HELD).columns(due=_TIME)).all()
    return {row.state: row.number for row in rows}, min((row.due for row in rows), default=None)


def first_due(tx: Connection, now: datetime) -> datetime | None:
    """When the planned touch that waits the longest was due; None when nothing is due."""
    statement = text(f"SELECT due_at FROM touches WHERE {PLANNED} AND due_at <= :now ORDER BY due_at LIMIT 1")
    due: datetime | None = tx.execute(_timed(statement, "now").columns(due_at=_TIME), {"now": now}).scalar()
    return due


def count_due(tx: Connection, now: datetime) -> int:
    """Planned touches that are due, up to a bound."""
    statement = text(f"SELECT COUNT(*) FROM (SELECT 1 FROM touches WHERE {PLANNED} AND due_at <= :now LIMIT :most) AS found")
    return int(tx.execute(_timed(statement, "now"), {"now": now, "most": COUNTED}).scalar_one())


def count_unknown(tx: Connection) -> int:
    """Touches with an unknown outcome, up to a bound."""
    return _bounded(tx, "touches", "ix_touches_look", UNKNOWN)


def estimate_planned(tx: Connection) -> int:
    """About how many touches are planned."""
    return _estimate(tx, "ix_touches_due", "touches", PLANNED)


def estimate_open_runs(tx: Connection) -> int:
    """About how many runs are open."""
    return _estimate(tx, "ix_runs_close", "runs", OPEN)


def recent_attempts(tx: Connection, now: datetime) -> tuple[dict[tuple[str, str], int], float]:
    """Attempts of the last hour by channel and outcome, the newest up to a bound; and how many seconds back they reach."""
    statement = _timed(text(_ATTEMPTS), "since").columns(first=_TIME)
    rows = tx.execute(statement, {"since": now - HOUR, "most": NEWEST}).all()
    full = sum(row.number for row in rows) >= NEWEST
    window = now - min(row.first for row in rows) if full else HOUR
    return {(row.channel, row.outcome): row.number for row in rows}, max(1.0, window.total_seconds())


def recent_skips(tx: Connection, now: datetime) -> Mapping[str, int]:
    """Touches skipped in the last hour by reason, as the newest changes tell, up to a bound."""
    rows = tx.execute(_timed(text(_SKIPPED), "since"), {"since": now - HOUR, "most": CHANGES})
    return {row.reason or "": row.number for row in rows}


def _timed(statement: Any, name: str) -> Any:
    return statement.bindparams(bindparam(name, type_=_TIME))


def _estimate(tx: Connection, index: str, table: str, where: str) -> int:
    """What PostgreSQL last found in the partial index; on SQLite, and before PostgreSQL has looked, a count up to a bound."""
    if tx.dialect.name == "postgresql":
        found = tx.execute(text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:name)"), {"name": index}).scalar()
        if found is not None and found > 0:
            return int(found)
    return _bounded(tx, table, index, where)


def _bounded(tx: Connection, table: str, index: str, where: str) -> int:
    by = f"INDEXED BY {index} " if tx.dialect.name == "sqlite" else ""  # without statistics it may take an index over everything
    statement = text(f"SELECT COUNT(*) FROM (SELECT 1 FROM {table} {by}WHERE {where} LIMIT :most) AS found")
    return int(tx.execute(statement, {"most": COUNTED}).scalar_one())
