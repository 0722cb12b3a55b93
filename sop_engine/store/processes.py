"""Remembers which processes work on this database, and how the recurring jobs of the leader went."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, delete
from sqlalchemy.dialects.postgresql import insert as upsert_pg
from sqlalchemy.dialects.sqlite import insert as upsert_lite

from sop_engine.store.columns import table_of
from sop_engine.store.safety_tables import JobRow, ProcessRow

processes = table_of(ProcessRow)
jobs = table_of(JobRow)

FORGOTTEN = timedelta(days=1)  # a process not seen for so long is no more


def seen(tx: Connection, name: str, kind: str, at: datetime, *, version: str = "", worked_at: datetime | None = None) -> None:
    """A process lives; `worked_at`: when it last finished something."""
    values: dict[str, Any] = {"seen_at": at} | ({"worked_at": worked_at} if worked_at else {})
    _put(tx, processes, name, values, {"kind": kind, "version": version, "started_at": at})


def gone(tx: Connection, name: str) -> None:
    """A process has ended in good order."""
    tx.execute(delete(processes).where(processes.c.name == name))


def forget(tx: Connection, at: datetime) -> int:
    """Forget processes that were not seen for a day; how many."""
    return tx.execute(delete(processes).where(processes.c.seen_at < at - FORGOTTEN)).rowcount


def job_done(tx: Connection, name: str, every: timedelta, at: datetime) -> None:
    """A job went well."""
    _put(tx, jobs, name, {"ok_at": at, "every_s": max(1, round(every.total_seconds())), "error": ""}, {})


def job_failed(tx: Connection, name: str, every: timedelta, at: datetime, error: str) -> None:
    """A job did not go well, and why; without personal data."""
    _put(tx, jobs, name, {"failed_at": at, "every_s": max(1, round(every.total_seconds())), "error": error[:300]}, {})


def only_jobs(tx: Connection, names: Iterable[str]) -> None:
    """From now on these recur and no others: what another kind of process did is not missed."""
    tx.execute(delete(jobs).where(jobs.c.name.not_in(list(names))))


def _put(tx: Connection, table: Table, name: str, values: dict[str, Any], first: dict[str, Any]) -> None:
    """Write a row of this name in one statement: two who are new at the same moment do not collide."""
    upsert = upsert_pg(table) if tx.dialect.name == "postgresql" else upsert_lite(table)
    defaults = {"error": ""} if table is jobs else {}
    new = upsert.values(**defaults | first | values, name=name)
    tx.execute(new.on_conflict_do_update(index_elements=["name"], set_=values))
