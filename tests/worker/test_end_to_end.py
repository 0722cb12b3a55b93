"""Scheduler and workers as real processes on real PostgreSQL and Redis."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from sop_engine.actions.ingest import record_events
from sop_engine.core.records import EventRecord
from sop_engine.store import leases, outbox, touches
from tests.conftest import Databases
from tests.servers import Server
from tests.worker.production import Production, now, signal_group, until

pytestmark = pytest.mark.slow


@pytest.fixture
def production(tmp_path: Path, migrated_postgres: Databases, redis_server: Server) -> Iterator[Production]:
    """A project on a fresh database."""
    url = migrated_postgres.copy()
    made = Production.make(tmp_path / "shop", url, redis_server.url, lease_s="16", instance="")
    yield made
    made.close()
    migrated_postgres.drop(url.rpartition("/")[2])


def carts(production: Production, many: int) -> None:
    """So many users, each with a cart now."""
    app, at = production.app, now()
    records = [EventRecord(f"cart-{n}", f"u{n}", "cart", at, {}, "user", "test") for n in range(many)]
    for start in range(0, many, 500):
        record_events(app, records[start : start + 500], at)

    with app.transaction() as tx:
        tx.execute(text("""UPDATE users SET attributes = '{"phone": "13800000000"}'"""))


def states(production: Production) -> dict[str, int]:
    """Touches by state."""
    found: dict[str, int] = {}
    app = production.app
    with app.transaction() as tx:
        for row in touches.list_touches(tx):
            found[row.state] = found.get(row.state, 0) + 1
    return found


def test_an_event_is_answered_through_scheduler_redis_and_worker_once(production: Production) -> None:
    carts(production, 300)
    scheduler = production.start("scheduler")
    worker = production.start("worker")
    took = until(lambda: states(production) == {"sent": 300}, told=production.logs)
    app = production.app
    with app.transaction() as tx:
        assert len(outbox.list_outbox(tx, limit=1000)) == 300
    for process in (worker, scheduler):
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0, production.logs()
    assert took < 60


def test_workers_and_scheduler_may_be_killed_at_any_moment(production: Production) -> None:
    carts(production, 400)
    for round_ in range(2):
        scheduler, worker = production.start("scheduler"), production.start("worker")
        sent = (round_ + 1) * 100
        until(lambda sent=sent: states(production).get("sent", 0) >= sent, told=production.logs)
        for process in (worker, scheduler):
            signal_group(process, signal.SIGKILL)
            process.wait(20)
    production.start("scheduler")
    production.start("worker")
    until(lambda: states(production) == {"sent": 400}, told=lambda: f"{states(production)} {production.logs()}")
    with production.app.transaction() as tx:
        keys = [row.key for row in outbox.list_outbox(tx, limit=10_000)]
    assert len(keys) == len(set(keys)) == 400


def test_a_frozen_leader_is_replaced_and_writes_nothing_when_it_wakes(production: Production) -> None:
    first = production.start("scheduler", "--name", "first")
    until(lambda: leader(production) == "first", told=production.logs)
    production.start("scheduler", "--name", "second")
    until(lambda: "scheduler second" in production.logs(), told=production.logs)
    signal_group(first, signal.SIGSTOP)
    until(lambda: leader(production) == "second", told=production.logs)
    signal_group(first, signal.SIGCONT)
    carts(production, 50)
    production.start("worker")
    until(lambda: states(production) == {"sent": 50}, told=production.logs)
    assert leader(production) == "second"
    with production.app.transaction() as tx:
        held = leases.read(tx)
    assert held is not None and held.epoch == 2


def leader(production: Production) -> str:
    """Who leads by the database."""
    with production.app.transaction() as tx:
        found = leases.read(tx)
    return found.holder if found is not None else ""
