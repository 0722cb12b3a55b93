"""Redis and PostgreSQL die, forget or refuse in the middle of a wave: every touch reaches the provider once, none is lost."""

import gc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.faults.nemesis import flush, restart
from tests.faults.wave import Wave
from tests.servers import Server, start_postgres, start_redis
from tests.worker.production import signal_group

pytestmark = [pytest.mark.slow, pytest.mark.server]

MANY = 150


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


def live_through(folder: Path, servers: tuple[Server, Server], harm: Callable[[Wave], object]) -> dict[str, object]:
    postgres, broker = servers
    wave = Wave.make(folder, postgres.url, broker.url, many=MANY)
    try:
        wave.work()
        wave.when_sent(MANY // 10, lambda: harm(wave))
        wave.finish()
        return wave.judge()
    finally:
        wave.close()


def once(found: dict[str, object]) -> bool:
    return found == {"duplicates": 0, "taken": MANY, "states": {"sent": MANY}, "broken": []}


def test_f17_redis_killed_with_everything_it_held(tmp_path: Path, servers: tuple[Server, Server]) -> None:
    found = live_through(tmp_path, servers, lambda _: restart(servers[1]))
    assert once(found), found


def test_f19_redis_told_to_forget_everything(tmp_path: Path, servers: tuple[Server, Server]) -> None:
    found = live_through(tmp_path, servers, lambda _: flush(servers[1].url))
    assert once(found), found


def test_f15_f24_redis_and_postgresql_killed_at_once_and_a_worker_with_them(tmp_path: Path, servers: tuple[Server, Server]) -> None:
    def harm(wave: Wave) -> None:
        signal_group(wave.production.processes[1], SIGKILL)
        for server in servers:
            restart(server)

    found = live_through(tmp_path, servers, harm)
    assert once(found), found
