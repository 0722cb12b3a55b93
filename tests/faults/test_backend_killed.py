"""F25: one backend of PostgreSQL is killed, and the server drops every connection: the pool heals, nothing is sent twice or lost."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.release import rescue
from sop_engine.settings import Settings
from sop_engine.store import crash_points
from sop_engine.store.clock import database_time
from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import upgrade
from tests.processes import until
from tests.servers import Server, start_postgres
from tests.shop import Shop, keys
from tests.shop_project import Scripted

pytestmark = [pytest.mark.slow, pytest.mark.server]

FLOW = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
USERS = 8


@pytest.fixture(scope="module")
def own(postgres_server: Server) -> Iterator[Server]:
    """A PostgreSQL of these tests' own, which they may harm; the shared one is asked for so that an absence is counted."""
    server = start_postgres(fsync=True)
    assert server is not None
    yield server
    server.stop()


def kill_a_backend(own: Server) -> None:
    """Kill one that somebody else is served by, as the system does when memory is short; until the others are gone, too."""
    with psycopg.connect(own.url) as connection:
        serving = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid"
        pids = [row[0] for row in connection.execute(serving)]
        assert pids
        os.kill(pids[-1], signal.SIGKILL)
        until(lambda: not alive(connection))


def alive(connection: psycopg.Connection) -> bool:
    """Whether the server still serves it."""
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.parametrize("point", ["before_release_commit", "before_intent_commit", "before_settle_commit"])
def test_f25_one_backend_killed_in_a_wave_drops_all_and_the_same_engine_goes_on(
    own: Server, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(own.url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {point}")
    engine = open_engine(own.url.replace("/postgres", f"/{point}"))
    upgrade(engine)
    provider = Scripted()
    shop = Shop(engine, FLOW, start="2025-03-01 10:00", channels={"sms": provider})
    for user in keys(USERS):
        shop.event(shop.user(user), "cart")
    shop.jump("2025-03-01 11:00")
    shop.app.settings = Settings.model_construct(sending="live")
    shop.app.lease_clock = database_time
    passed: list[str] = []

    def hook(name: str) -> None:
        passed.append(name)
        if name == point and passed.count(name) == (1 if name == "before_release_commit" else 2):
            kill_a_backend(own)

    monkeypatch.setattr(crash_points, "hook", hook)
    with suppress(DBAPIError):  # the task fails; what it held comes back when its lease is over
        shop.deliver(shop.claim())
    until(lambda: heals(shop))
    with shop.app.transaction() as tx:
        tx.execute(text("UPDATE touches SET lease_until = :past WHERE lease_until IS NOT NULL"), {"past": shop.now})
    assert rescue(shop.app, shop.now)[1] == 0  # no outcome is unknown: every answer was stored
    shop.deliver(shop.claim())
    assert passed.count(point) >= 2
    assert shop.states() == ["hi:sent"] * USERS
    assert sorted(m.user_key for m in provider.handed) == sorted(keys(USERS))
    with shop.app.work(shop.now) as work:
        assert [f"{b.invariant.id}: {b.subjects}" for b in ask_invariants(work).broken] == []
    engine.dispose()


def heals(shop: Shop) -> bool:
    """Whether the pool gives a connection that works."""
    with suppress(DBAPIError), shop.app.transaction() as tx:
        return bool(tx.execute(text("SELECT 1")).scalar())
    return False
