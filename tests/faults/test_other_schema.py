"""F60: while a newer version upgrades the database, processes of this one promise nothing, lead no more, and say why."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from sop_engine.actions.catch_up import catch_up
from sop_engine.cli.opening import close_databases, open_database
from sop_engine.core.errors import Refused
from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import head, upgrade
from sop_engine.worker.leading import Leader
from tests.conftest import Databases
from tests.processes import Process
from tests.shop import Shop
from tests.shop_project import Scripted

FLOW = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
NEWER = "9999_what_comes"
SAID = f"the database is at {NEWER}, which this version of the engine does not know: a newer one has upgraded it"


def bring_to(engine: Engine, revision: str) -> None:
    """Another version of the engine upgrades the database."""
    with engine.begin() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :at"), {"at": revision})


def test_f60_a_worker_of_before_an_upgrade_stores_no_intent_and_calls_nobody(engine: Engine) -> None:
    provider = Scripted()
    shop = Shop(engine, FLOW, start="2025-03-01 10:00", channels={"sms": provider})
    shop.event(shop.user("u1"), "cart")
    shop.jump("2025-03-01 11:00")
    hints = shop.claim()
    before = str(head())
    bring_to(engine, NEWER)
    with pytest.raises(Refused, match=SAID):
        shop.deliver(hints)
    assert (provider.handed, shop.states()) == ([], ["hi:queued"])
    bring_to(engine, before)  # a worker of the newer version takes it up
    assert shop.deliver(hints) == 1
    assert shop.states() == ["hi:sent"]


def test_f60_a_midnight_is_left_to_the_newer_version(engine: Engine) -> None:
    shop = Shop(engine, FLOW, start="2025-03-01 10:00")
    shop.user("u1")
    shop.jump("2025-03-02 00:00")
    bring_to(engine, NEWER)
    with pytest.raises(Refused, match=SAID):
        catch_up(shop.app, shop.now)


def test_f60_a_leader_of_before_an_upgrade_cannot_renew_its_lease_and_another_cannot_take_it(engine: Engine) -> None:
    shop = Shop(engine, FLOW, start="2025-03-01 10:00")
    first, second = Leader(shop.app, "first"), Leader(shop.app, "second", alone=True)
    assert first.try_once()
    bring_to(engine, NEWER)
    first.try_once()
    assert not second.try_once()
    with engine.connect() as tx:
        assert tx.execute(text("SELECT holder, pulse FROM leases")).one() == ("first", 1)


def test_f60_a_database_of_a_newer_version_is_neither_opened_nor_upgraded(tmp_path: Path) -> None:
    (tmp_path / "playbooks").mkdir()
    engine = open_engine(f"sqlite:///{tmp_path / 'sop.db'}")
    upgrade(engine)
    bring_to(engine, NEWER)
    with pytest.raises(Refused, match=SAID):
        upgrade(engine)
    with pytest.raises(Refused, match=SAID):
        open_database(tmp_path)
    close_databases()
    engine.dispose()


@pytest.mark.slow
def test_f60_a_worker_that_starts_on_a_database_of_a_newer_version_ends_and_says_so(tmp_path: Path, migrated_postgres: Databases) -> None:
    (tmp_path / "playbooks").mkdir()
    url = migrated_postgres.copy()
    engine = open_engine(url)
    bring_to(engine, NEWER)
    engine.dispose()
    with Process(["worker"], tmp_path, {"SOP_DATABASE_URL": url, "SOP_REDIS_URL": "redis://127.0.0.1:1/0"}) as worker:
        assert worker.process.wait(60) != 0
        assert SAID in worker.err + worker.out
    migrated_postgres.drop(url.rpartition("/")[2])
