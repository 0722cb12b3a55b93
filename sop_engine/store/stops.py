"""Remembers what is stopped. An intent looks at it under a shared lock, a stop is stored under an exclusive one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select

from sop_engine.store.columns import table_of
from sop_engine.store.safety_tables import StopRow

stops = table_of(StopRow)

SWITCH = 0x736F72  # the number of the lock
FOUND_TOO = "\n"  # between the findings of one stop


def newest() -> ColumnElement[bool]:
    """The newest row of each scope: the one that holds."""
    return stops.c.id.in_(select(func.max(stops.c.id)).group_by(stops.c.scope))


def hold(tx: Connection) -> None:
    """Until the end of the transaction no stop is stored that this transaction has not seen. SQLite has one writer anyhow."""
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock_shared(SWITCH)))


def stopped(tx: Connection) -> frozenset[str]:
    """Scopes that are stopped: all, playbook:NAME, channel:NAME."""
    return frozenset(row.scope for row in list_stopped(tx))


def list_stopped(tx: Connection) -> Sequence[Row[Any]]:
    """What is stopped now, with since when, by whom and why; the latest first."""
    return tx.execute(select(stops).where(newest(), stops.c.stopped).order_by(stops.c.id.desc())).all()


def version(tx: Connection) -> int:
    """The number of the newest stop or release: what an intent has seen."""
    return int(tx.execute(select(func.coalesce(func.max(stops.c.id), 0))).scalar_one())


def add(tx: Connection, scope: str, *, stop: bool, at: datetime, by: str, why: str, finding: str = "") -> int:  # noqa: PLR0913 - a row
    """Stop a scope or release it, after every intent under way is committed; the new version."""
    hold_alone(tx)
    statement = insert(stops).values(scope=scope, stopped=stop, at=at, by=by, why=why, finding=finding).returning(stops.c.id)
    return int(tx.execute(statement).scalar_one())


def hold_alone(tx: Connection) -> None:
    """Until the end of the transaction no intent is stored; those under way are committed first."""
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(SWITCH)))


def found_since(tx: Connection, since: datetime) -> frozenset[str]:
    """What was stopped for by itself since then."""
    rows = tx.execute(select(stops.c.finding).where(stops.c.finding != "", stops.c.at >= since)).scalars()
    return frozenset(one for row in rows for one in row.split(FOUND_TOO))


def history(tx: Connection) -> Sequence[Row[Any]]:
    """Every stop and release there ever was, oldest first."""
    return tx.execute(select(stops).order_by(stops.c.id)).all()
