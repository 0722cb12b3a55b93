"""F31: after a failover the database has lost commits it had acknowledged: safe mode begins, and what was sent is not sent again."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sop_engine.actions.reconcile import reconcile
from sop_engine.actions.restored import PulseFile, watch_pulse
from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import upgrade
from tests.faults.test_restored import broken, pulse, with_carts
from tests.servers import Server, start_postgres

pytestmark = [pytest.mark.slow, pytest.mark.server]


@pytest.fixture
def own(postgres_server: Server) -> Iterator[Server]:
    """A PostgreSQL of this test's own, which it may kill; the shared one is asked for so that an absence is counted."""
    server = start_postgres(fsync=True)
    assert server is not None
    yield server
    server.stop()


def copied(source: Path, target: Path) -> None:
    """A data directory with its owners and rights, in place of what was there."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def test_f31_a_server_that_takes_over_without_the_last_commits_sends_nothing_before_it_is_reconciled(own: Server, tmp_path: Path) -> None:
    assert own.folder is not None
    data, older = own.folder / "data", own.folder / "older"
    engine = open_engine(own.url)
    upgrade(engine)
    shop, provider = with_carts(engine, users=3)
    memory = PulseFile(tmp_path / "pulse")
    pulse(shop, 10)
    assert watch_pulse(shop.app, memory, shop.now) is None
    engine.dispose()
    own.kill()
    copied(data, older)
    assert own.start()

    shop.until("2025-03-01 11:00")  # the history that will be lost: all three are sent
    pulse(shop, 20)
    assert watch_pulse(shop.app, memory, shop.now) is None
    sent = [m.key for m in provider.handed]
    assert len(sent) == 3
    engine.dispose()
    own.kill()
    copied(older, data)
    assert own.start()

    shop.jump("2025-03-01 11:05")
    why = watch_pulse(shop.app, memory, shop.now)
    assert why == "this database is older than the one last seen (pulse 10 after 20): it is a restored copy."
    shop.beat()
    assert len(provider.handed) == 3
    assert {t.state for t in shop.touches()} == {"planned"}
    done = reconcile(shop.app, shop.now, dict.fromkeys(sent[:2]), by="wang")  # the provider's log has two of them
    assert (done.sent, done.given_up, done.unmatched) == (2, 1, 0)
    assert watch_pulse(shop.app, memory, shop.now) is None
    shop.until("2025-03-01 15:00")
    assert sorted(m.step for m in provider.handed[3:]) == ["then"] * 2  # what follows is sent, what was sent is not
    assert sorted(s for s in shop.states() if s.startswith("hi:") and "outcome" not in s) == ["hi:sent"] * 3  # one went to the outbox
    assert broken(shop) == []
    engine.dispose()
