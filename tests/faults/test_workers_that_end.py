"""F07 F08 F61 F62: workers told to end, robbed of a child, short of file handles or of disk; each touch reaches the provider once."""

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.conftest import Databases
from tests.faults.wave import Wave
from tests.servers import Server, start_redis
from tests.worker.production import until

pytestmark = [pytest.mark.slow, pytest.mark.server]

MANY = 40
HANDLES = 48  # a worker at rest has some thirty open


@pytest.fixture
def wave(tmp_path: Path, migrated_postgres: Databases, redis_server: Server) -> Iterator[Wave]:
    """So many due touches on a database and a Redis of its own; nobody works yet."""
    url, broker = migrated_postgres.copy(), start_redis()
    assert broker is not None
    made = Wave.make(tmp_path, url, broker.url, many=MANY)
    yield made
    made.close()
    broker.stop()
    migrated_postgres.drop(url.rpartition("/")[2])


def once(found: dict[str, object]) -> bool:
    """Whether every touch was sent, each reached the provider once, and every invariant holds."""
    return found == {"duplicates": 0, "taken": MANY, "states": {"sent": MANY}, "broken": []}


def time_passes(wave: Wave) -> None:
    """An hour of leases and looks goes by: whoever waits for one waits no more."""
    with wave.production.app.transaction() as tx:
        hour = "interval '1 hour'"
        tx.execute(text(f"UPDATE touches SET lease_until = lease_until - {hour} WHERE state IN ('queued', 'sending')"))
        tx.execute(text(f"UPDATE touches SET look_at = look_at - {hour} WHERE state = 'unknown'"))


def children(pid: int) -> list[int]:
    """The processes a process has forked."""
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def reached(wave: Wave, many: int) -> None:
    """Wait until the provider has so many; what a dead process held need not be waited for."""

    def there() -> bool:
        wave.keep_running()
        wave.resume()
        if not wave.states()["planned"]:
            time_passes(wave)
        return len(wave.provider.taken()) >= many

    until(there, deadline_s=120, told=wave.production.logs)


def all_sent(wave: Wave) -> bool:
    """Whether every touch is known to be sent; of whom a dead process held, it is found out."""
    if not (states := wave.states())["planned"]:
        time_passes(wave)
    return dict(states) == {"sent": MANY}


def working(wave: Wave) -> "subprocess.Popen[str]":
    """The worker that is running now, with a child for each call it may make at a time."""
    worker = next(p for p in reversed(wave.production.processes) if p.poll() is None and "worker" in p.args)
    until(lambda: len(children(worker.pid)) >= 2, told=wave.production.logs)
    return worker


def test_f07_f08_a_worker_robbed_of_a_child_or_told_to_end_or_to_quit_sends_each_touch_once(wave: Wave) -> None:
    wave.work()
    reached(wave, 5)
    worker = working(wave)
    child = children(worker.pid)[0]
    os.kill(child, signal.SIGKILL)
    until(lambda: child not in (now := children(worker.pid)) and len(now) >= 2, told=wave.production.logs)  # replaced
    assert worker.poll() is None
    for number, signs in enumerate(([signal.SIGTERM, signal.SIGTERM], [signal.SIGQUIT]), 1):
        reached(wave, 5 + number * 10)
        worker = working(wave)
        for sign in signs:
            worker.send_signal(sign)
        worker.wait(60)  # what it was sending is finished
    reached(wave, MANY)
    until(lambda: all_sent(wave), deadline_s=120, told=wave.production.logs)
    found = wave.judge()
    assert once(found), found


def test_f61_f62_a_wave_drains_with_few_file_handles_and_a_log_on_a_full_disk(wave: Wave) -> None:
    def ended() -> list[bool]:
        return [p.poll() is not None for p in wave.production.processes]

    for words in (("scheduler",), ("worker",)):
        process = wave.production.start(*words, said_to="/dev/full")
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (HANDLES, HANDLES))
    until(lambda: dict(wave.states()) == {"sent": MANY} or any(ended()), told=lambda: f"{wave.states()}")
    assert not any(ended())
    assert [resource.prlimit(p.pid, resource.RLIMIT_NOFILE)[0] for p in wave.production.processes] == [HANDLES] * 2
    found = wave.judge()
    assert once(found), found
