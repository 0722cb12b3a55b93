"""A long run over real processes with a fault every half minute: the provider's log, the invariants and the memory at its end."""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from threading import Event

from tests.faults.figures import figure
from tests.faults.nemesis import flush, hurt
from tests.faults.wave import Wave
from tests.servers import Server, start_postgres, start_redis

EVERY_S = 30
PER_MINUTE = 500


def main() -> int:
    """MINUTES= long, SEED= of the faults."""
    minutes, seed = float(os.environ.get("MINUTES", "60")), int(os.environ.get("SEED", "1"))
    postgres, broker = start_postgres(fsync=True), start_redis()
    assert postgres is not None and broker is not None
    with tempfile.TemporaryDirectory() as folder:
        wave = Wave.make(Path(folder), postgres.url, broker.url, many=max(100, int(minutes * PER_MINUTE)))
        try:
            faults = _live(wave, postgres, broker, minutes, Random(seed))
            took = wave.finish(deadline_s=600)
            found = wave.judge()
        finally:
            wave.close()
            broker.stop()
            postgres.stop()
    passed = found["duplicates"] == 0 and found["taken"] == wave.many and not found["broken"]
    return figure("soak", f"minutes={minutes} faults={faults} touches={wave.many} drained_s={took:.0f} {found}", passed, seed=seed)


def _live(wave: Wave, postgres: Server, broker: Server, minutes: float, drawn: Random) -> int:
    wave.work(workers=2)
    harms: list[Callable[[], object]] = [
        broker.restart,
        postgres.restart,
        lambda: flush(broker.url),
        lambda: hurt(drawn.choice(wave.production.processes).pid, signal.SIGKILL),
        lambda: wave.provider.script("accept_500", "503", "429"),
    ]
    until, faults = time.monotonic() + minutes * 60, 0
    while time.monotonic() + EVERY_S < until:
        Event().wait(EVERY_S)
        drawn.choice(harms)()
        faults += 1
        wave.keep_running()
    return faults
