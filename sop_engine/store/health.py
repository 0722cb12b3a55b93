"""Reads how a database is set up and how the work on it goes; judges nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from sop_engine.store.processes import jobs, processes
from sop_engine.store.touches import touches

SQLITE = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
POSTGRESQL = (
    "fsync", "full_page_writes", "synchronous_commit", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
)  # fmt: skip


def settings_of(tx: Connection) -> Mapping[str, str]:
    """The settings of the database that decide whether what was committed stays."""
    if tx.dialect.name == "postgresql":
        return {name: str(tx.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in POSTGRESQL}
    return {name: str(tx.exec_driver_sql(f"PRAGMA {name}").scalar_one()) for name in SQLITE}


def is_file(tx: Connection) -> bool:
    """Whether it is a SQLite database in a file."""
    return tx.dialect.name == "sqlite" and bool(tx.exec_driver_sql("PRAGMA database_list").first()[2])  # type: ignore[index]


def list_jobs(tx: Connection) -> Sequence[Row[Any]]:
    """The recurring jobs of the leader."""
    return tx.execute(select(jobs).order_by(jobs.c.name)).all()


def list_processes(tx: Connection, since: datetime) -> Sequence[Row[Any]]:
    """Processes that were seen since then."""
    return tx.execute(select(processes).where(processes.c.seen_at >= since).order_by(processes.c.name)).all()


def oldest_due(tx: Connection, now: datetime) -> tuple[int, datetime | None]:
    """How many touches are due and not sent, and since when the oldest is."""
    c = touches.c
    row = tx.execute(select(func.count(), func.min(c.due_at)).where(c.state == "planned", c.due_at <= now)).one()
    return int(row[0]), row[1]


def unknown_outcomes(tx: Connection) -> tuple[int, datetime | None, int]:
    """How many outcomes are unknown, since when the oldest is, and how many of them wait for an operator."""
    c = touches.c
    last_word = func.count().filter(c.purpose != "marketing")
    row = tx.execute(select(func.count(), func.min(c.intent_at), last_word).where(c.state == "unknown")).one()
    return int(row[0]), row[1], int(row[2])
