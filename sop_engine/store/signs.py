"""Reads the signs of life in one transaction that only reads: every question is answered along an index or from a small table."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from sop_engine.core.signs import Job, Leader, Process, Signs
from sop_engine.store import leases, stops, traffic
from sop_engine.store.clock import database_time
from sop_engine.store.columns import table_of
from sop_engine.store.halts import read_halts
from sop_engine.store.run_tables import PoolRow
from sop_engine.store.safety_tables import CircuitRow, JobRow, ProcessRow, SetAsideRow
from sop_engine.store.versions import get_mark

BY_ITSELF = "sop"  # what stands in `by` where no operator did it
LATELY = timedelta(minutes=10)
MOST_PROCESSES = 200

jobs, processes = table_of(JobRow), table_of(ProcessRow)
circuits, set_aside, pools = table_of(CircuitRow), table_of(SetAsideRow), table_of(PoolRow)


def read_signs(tx: Connection, now: datetime, *, release: str) -> Signs:
    """Everything there is to see at this moment. `release` is the name of the mark of the live release."""
    clock, halts = database_time(tx), read_halts(tx)
    counted, held_since = traffic.held(tx)
    due = [at for at in (held_since, traffic.first_due(tx, now)) if at is not None and at <= now]
    attempts, window = traffic.recent_attempts(tx, now)
    stock = _stock(tx)
    return Signs(
        oldest_due_s=(now - min(due)).total_seconds() if due else 0.0,
        touches={
            "planned_due": traffic.count_due(tx, now),
            "queued": counted.get("queued", 0),
            "sending": counted.get("sending", 0),
            "unknown": traffic.count_unknown(tx),
        },
        planned=traffic.estimate_planned(tx),
        attempts=attempts,
        attempts_window_s=window,
        skipped=traffic.recent_skips(tx, now),
        open_runs=traffic.estimate_open_runs(tx),
        stopped={row.scope: row.by == BY_ITSELF for row in stops.list_stopped(tx)},
        leader=_leader(tx, clock),
        jobs=_jobs(tx, now),
        processes=_processes(tx, now),
        circuits={row.account: row.state != "closed" for row in tx.execute(select(circuits.c.account, circuits.c.state))},
        set_aside=_count_set_aside(tx),
        pool_codes={name: max(0, size - taken) for name, size, taken in stock},
        pool_sizes={name: size for name, size, _ in stock},
        safe_mode=halts.safe_mode is not None,
        released=get_mark(tx, release) is not None,
        clock_skew_s=(now - clock).total_seconds(),
    )


def _leader(tx: Connection, clock: datetime) -> Leader | None:
    lease = leases.read(tx)
    return None if lease is None else Leader(lease.epoch, (lease.until - clock).total_seconds())


def _jobs(tx: Connection, now: datetime) -> Sequence[Job]:
    c = jobs.c
    rows = tx.execute(select(c.name, c.every_s, c.ok_at, c.failed_at).order_by(c.name))
    return [
        Job(r.name, r.every_s, _ago(now, r.ok_at), r.failed_at is not None and (r.ok_at is None or r.ok_at < r.failed_at)) for r in rows
    ]


def _processes(tx: Connection, now: datetime) -> Sequence[Process]:
    c = processes.c
    lately = select(c.name, c.kind, c.seen_at, c.worked_at).where(c.seen_at > now - LATELY).order_by(c.seen_at.desc())
    return [Process(r.name, r.kind, _ago(now, r.seen_at) or 0.0, _ago(now, r.worked_at)) for r in tx.execute(lately.limit(MOST_PROCESSES))]


def _ago(now: datetime, at: datetime | None) -> float | None:
    return None if at is None else max(0.0, (now - at).total_seconds())


def _count_set_aside(tx: Connection) -> int:
    some = select(set_aside.c.id).limit(traffic.COUNTED).subquery()
    return int(tx.execute(select(func.count()).select_from(some)).scalar_one())


def _stock(tx: Connection) -> list[tuple[str, int, int]]:
    """(pool, size, taken) of those that have an end."""
    rows = tx.execute(select(pools.c.name, pools.c.size, pools.c.taken).where(pools.c.size.is_not(None)).order_by(pools.c.name))
    return [(row.name, row.size, row.taken) for row in rows]
