"""Redis and PostgreSQL die, forget or refuse in the middle of a wave: every touch reaches the provider once, none is lost."""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.faults.nemesis import flush
from tests.faults.wave import Wave
from tests.servers import Server, start_postgres, start_redis
from tests.worker.production import signal_group

pytestmark = [pytest.mark.slow, pytest.mark.server]

MANY = 240


@pytest.fixture
def servers(postgres_server: Server, redis_server: Server) -> Iterator[tuple[Server, Server]]:
    """Servers of this test's own, which it may kill; the shared ones are asked for so that an absence is counted."""
    postgres, broker = start_postgres(fsync=True), start_redis()
    assert postgres is not None and broker is not None
    yield postgres, broker
    broker.stop()
    postgres.stop()
    with warnings.catch_warnings():  # connections that were open when their server was killed cannot be closed in good order
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_f15_f17_f19_f24_redis_dies_and_forgets_then_postgresql_dies_with_a_worker_and_each_is_sent_once(
    tmp_path: Path, servers: tuple[Server, Server]
) -> None:
    postgres, broker = servers

    def everything() -> None:
        signal_group(wave.production.processes[1], SIGKILL)
        broker.restart()
        postgres.restart()

    wave = Wave.make(tmp_path, postgres.url, broker.url, many=MANY)
    try:
        wave.work()
        wave.when_sent(MANY // 10, broker.restart)
        wave.when_sent(MANY // 3, lambda: flush(broker.url))
        wave.when_sent(MANY * 2 // 3, everything)
        wave.finish()
        found = wave.judge()
    finally:
        wave.close()
    assert found == {"duplicates": 0, "taken": MANY, "states": {"sent": MANY}, "broken": []}
