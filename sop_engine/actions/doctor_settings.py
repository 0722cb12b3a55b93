"""Judges how a database, a broker and the environment are set up."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sop_engine.core.broker_report import BrokerReport
from sop_engine.core.clocks import WARNS, told, too_far
from sop_engine.store import health
from sop_engine.store.clock import database_time

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `grade`: good, warning, failed or not asked."""

    name: str
    grade: str
    says: str


def environment_checks(environment: Mapping[str, str]) -> Iterator[Check]:
    """What must not be set where workers run."""
    remapped = environment.get("REMAP_SIGTERM")
    if remapped:
        yield Check("signals", "failed", "REMAP_SIGTERM is set: it cuts workers off in the middle of a commit. Unset it.")


def broker_checks(report: BrokerReport | None) -> Iterator[Check]:
    """Whether the broker answers and keeps what it is given."""
    if report is None:
        yield Check("broker", "good", "none: one process does everything")
        return
    if not report.answers:
        yield Check("broker", "failed", f"Redis does not answer ({report.problem}): touches wait in the database until it does")
        return
    yield Check("broker", "good", f"Redis {report.version} answers")
    kept = report.eviction == "noeviction"
    yield Check(
        "broker memory",
        "good" if kept else "failed",
        f"maxmemory-policy is {report.eviction or 'not known'}" + ("" if kept else "; set it to noeviction, else it deletes queues"),
    )
    told = (
        "messages are kept on disk (appendonly)"
        if report.keeps
        else "without appendonly a restart forgets hints; they are made again after a lease"
    )
    yield Check("broker disk", "good" if report.keeps else "warning", told)


def database_checks(tx: "Connection", clock: Callable[[], datetime]) -> Iterator[Check]:
    """Whether what is committed stays, whether waits end, and whether the clocks agree."""
    found = health.settings_of(tx)
    yield from _postgresql(found) if tx.dialect.name == "postgresql" else _sqlite(found, health.is_file(tx))
    yield _skew(clock() - database_time(tx))


def _sqlite(found: Mapping[str, str], in_file: bool) -> Iterator[Check]:
    wanted = {"journal_mode": "wal" if in_file else "memory", "synchronous": "2", "foreign_keys": "1"}
    wrong = [f"{name} is {found[name]}, not {value}" for name, value in wanted.items() if found[name] != value]
    wrong += [] if int(found["busy_timeout"]) >= 5000 else [f"busy_timeout is {found['busy_timeout']}, below 5000"]
    yield Check(
        "durability", "failed" if wrong else "good", "; ".join(wrong) or "SQLite: WAL, synchronous FULL, foreign keys, 5 s busy timeout"
    )


def _postgresql(found: Mapping[str, str]) -> Iterator[Check]:
    wrong = [f"{name} is off" for name in ("fsync", "full_page_writes", "synchronous_commit") if found[name] == "off"]
    told = "PostgreSQL: fsync, full_page_writes and synchronous_commit are on"
    yield Check(
        "durability", "failed" if wrong else "good", "; ".join(wrong) + "; a crash could lose a commit and send twice" if wrong else told
    )
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    endless = [name for name in names if found[name] == "0"]
    times = ", ".join(f"{name} {found[name]}" for name in names)
    yield Check("timeouts", "warning" if endless else "good", f"{', '.join(endless)} is off: waits may have no end" if endless else times)


def _skew(skew: timedelta) -> Check:
    grade = "failed" if too_far(skew) else "warning" if abs(skew) > WARNS else "good"
    return Check("clocks", grade, told(skew) or f"this host and the database are {abs(skew).total_seconds():.1f} s apart")
