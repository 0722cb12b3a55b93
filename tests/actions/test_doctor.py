"""The doctor finds what is set up wrong and what is broken, writes nothing, and makes nobody wait."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from sop_engine.actions.doctor import Surroundings, examine
from sop_engine.actions.doctor_settings import Check, broker_checks, database_checks, environment_checks
from sop_engine.actions.stopping import stop
from sop_engine.core.broker_report import BrokerReport
from sop_engine.store.engine import open_engine, reading, transaction
from sop_engine.store.migrate import upgrade
from sop_engine.worker.broker import inspect
from tests.servers import Server
from tests.shop import Shop

FLOW = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {at: now, send: hello}\n"


def real() -> datetime:
    return datetime.now(UTC)


def checked(shop: Shop, around: Surroundings | None = None) -> dict[str, Check]:
    """Every check by name; of several of one name one that is not good."""
    found = examine(shop.app, shop.now, around or Surroundings({}, None, real))
    return {c.name: c for c in sorted(found, key=lambda c: c.grade == "failed")}


def begin(engine: Engine) -> Shop:
    shop = Shop(engine, FLOW, start="2025-03-03 11:00")
    shop.event(shop.user("u1"), "cart")
    return shop


def test_a_healthy_installation_fails_nothing(engine: Engine) -> None:
    found = checked(begin(engine))
    wrong = [c for c in found.values() if c.grade == "failed"]
    assert [c for c in wrong if "fsync is off" not in c.says] == []  # the tests' own server has it off, to be quick
    assert {
        "schema",
        "durability",
        "clocks",
        "instance",
        "stops",
        "leader",
        "due",
        "unknown",
        "calendar",
        "audit",
        "I2",
        "I28",
    } <= found.keys()
    assert found["I23"].grade == "good"


def test_a_broken_invariant_fails_and_is_named(engine: Engine) -> None:
    shop = begin(engine)
    with shop.app.transaction() as tx:
        tx.execute(text("UPDATE attempts SET began_at = due_at, due_at = '2026-01-01'"))
    found = checked(shop)
    assert found["I9"].grade == "failed"
    assert "attempt 1 of touch 1" in found["I9"].says


def test_a_changed_row_of_the_record_fails_the_audit(engine: Engine) -> None:
    shop = begin(engine)
    with shop.app.work(shop.now) as work:
        stop(work, "all", by="anna", why="a test")
    assert checked(shop)["stops"].grade == "warning"
    with shop.app.transaction() as tx:
        tx.execute(text("UPDATE audit SET who = 'bob'"))
    assert checked(shop)["audit"].grade == "failed"


def test_a_reading_transaction_can_write_nothing(engine: Engine) -> None:
    shop = begin(engine)
    with pytest.raises(DBAPIError), reading(shop.app.engine) as tx:
        tx.execute(text("UPDATE touches SET state = 'sent'"))
    with transaction(shop.app.engine) as tx:
        tx.execute(text("UPDATE touches SET rank = 2"))  # and the next one can again


def test_examining_a_file_keeps_no_writer_waiting(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'x.db'}")
    upgrade(engine)
    with reading(engine) as tx:
        tx.execute(text("SELECT COUNT(*) FROM touches"))
        with transaction(engine) as other:
            other.execute(text("UPDATE touches SET rank = 2"))
    engine.dispose()


@pytest.fixture
def careless(tmp_path: Path) -> Iterator[Engine]:
    """A SQLite file opened without any of our settings."""
    engine = create_engine(f"sqlite:///{tmp_path / 'y.db'}")
    yield engine
    engine.dispose()


def test_a_sqlite_file_that_may_lose_commits_fails(careless: Engine) -> None:
    with careless.connect() as tx:
        tx.execute(text("PRAGMA synchronous = NORMAL"))
        found = {c.name: c for c in database_checks(tx, real)}
    assert found["durability"].grade == "failed"
    for word in ("journal_mode is delete", "synchronous is 1", "foreign_keys is 0"):
        assert word in found["durability"].says


def test_a_postgresql_that_may_lose_commits_fails_and_endless_waits_warn(postgres_server: Server) -> None:
    url = postgres_server.url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url, connect_args={"options": "-c synchronous_commit=off"})
    with engine.connect() as tx:
        found = {c.name: c for c in database_checks(tx, real)}
    engine.dispose()
    assert "synchronous_commit is off" in found["durability"].says  # and fsync, which tests switch off
    assert (found["durability"].grade, found["timeouts"].grade) == ("failed", "warning")


def test_a_worker_gives_up_a_wait_for_a_lock_and_an_upgrade_does_not(postgres_server: Server) -> None:
    for hurried, wanted in ((True, "1min"), (False, "0")):
        engine = open_engine(postgres_server.url, hurried=hurried)
        with engine.connect() as tx:
            assert tx.execute(text("SHOW statement_timeout")).scalar_one() == wanted
        engine.dispose()


@pytest.mark.parametrize(("apart", "grade"), [(0, "good"), (5, "warning"), (-40, "failed")])
def test_clocks_that_are_apart_warn_then_fail(engine: Engine, apart: int, grade: str) -> None:
    shop = begin(engine)
    assert checked(shop, Surroundings({}, None, lambda: real() + timedelta(seconds=apart)))["clocks"].grade == grade


def test_a_remapped_signal_fails() -> None:
    assert [c.grade for c in environment_checks({"REMAP_SIGTERM": "SIGQUIT"})] == ["failed"]
    assert list(environment_checks({})) == []


def test_a_redis_that_deletes_queues_fails(redis_server: Server) -> None:
    client = redis.Redis.from_url(redis_server.url)
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        found = {c.name: c for c in broker_checks(inspect(redis_server.url))}
    finally:
        client.config_set("maxmemory-policy", "noeviction")
        client.close()
    assert (found["broker"].grade, found["broker memory"].grade, found["broker disk"].grade) == ("good", "failed", "warning")
    assert {c.name: c.grade for c in broker_checks(inspect(redis_server.url))}["broker memory"] == "good"


def test_a_redis_that_does_not_answer_fails() -> None:
    report = inspect("redis://127.0.0.1:1/0")
    assert [c.grade for c in broker_checks(report)] == ["failed"]
    assert [c.grade for c in broker_checks(BrokerReport(True, "7", "noeviction", True))] == ["good", "good", "good"]


def test_a_database_of_an_older_version_is_not_examined_further() -> None:
    engine = open_engine("sqlite://")
    with pytest.raises(OperationalError), engine.connect() as tx:
        tx.execute(text("SELECT 1 FROM touches"))
    upgrade(engine)
    with transaction(engine) as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    found = examine(Shop(engine).app, real(), Surroundings({}, None, real))
    assert found[-1].name == "schema"
    assert found[-1].grade == "failed"
    engine.dispose()
