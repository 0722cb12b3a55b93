"""The heartbeat of a worker: seen in the database, and an end to a worker that takes nothing although hints wait for it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from multiprocessing import Value

from sop_engine import __version__
from sop_engine.actions.telling import tell
from sop_engine.app import App
from sop_engine.store import processes
from sop_engine.worker.broker import Redis

LOOKS = 7  # so often in a row hints must have waited while nothing was done: longer than any task may take


class Heart:
    """Beats in the parent process, beside the pool; children note in shared memory when they have finished something."""

    def __init__(self, opener: Callable[[], App], name: str, queues: Sequence[str], redis: Redis, clock: Callable[[], datetime]) -> None:
        self._opener, self._name, self._queues, self._redis, self._clock = opener, name, queues, redis, clock
        self._worked = Value("d", 0.0)
        self._idle_looks = 0
        self._looked_at = 0.0
        self._stop = threading.Event()
        self._quiet = threading.Lock()  # held while a connection is open: no child is forked then
        os.register_at_fork(before=self._quiet.acquire, after_in_parent=self._quiet.release, after_in_child=self._quiet.release)

    def worked(self) -> None:
        """A child has finished a task."""
        self._worked.value = time.monotonic()

    def start(self, every_s: float) -> None:
        """Beat in the background."""
        threading.Thread(target=self._go_on, args=(every_s,), name="sop-heart", daemon=True).start()

    def stop(self) -> None:
        """The worker ends in good order: it is not missed."""
        self._stop.set()
        with suppress(Exception):
            self._in_database(lambda app: self._gone(app))

    def is_stuck(self) -> bool:
        """Whether hints have waited at so many looks in a row while no child finished anything; to be asked once a beat."""
        worked_since, self._looked_at = self._worked.value >= self._looked_at, time.monotonic()
        waiting = self._redis.answers() and any(self._redis.waiting(queue) for queue in self._queues)
        self._idle_looks = self._idle_looks + 1 if waiting and not worked_since else 0
        return self._idle_looks >= LOOKS

    def _go_on(self, every_s: float) -> None:
        while True:
            with suppress(Exception):  # the database is away: the next beat tries again
                self._in_database(self._seen)
            if self.is_stuck():
                tell("stuck", level="error", reason="hints wait and nothing is taken: ending, to be started again")
                os.kill(os.getpid(), signal.SIGTERM)
                return
            if self._stop.wait(every_s):
                return

    def _in_database(self, do: Callable[[App], None]) -> None:
        with self._quiet:
            app = self._opener()
            try:
                do(app)
            finally:
                app.engine.dispose()

    def _seen(self, app: App) -> None:
        with app.transaction() as tx:
            now = self._clock()
            processes.seen(tx, self._name, "worker", now, version=__version__, worked_at=now if self._worked.value else None)

    def _gone(self, app: App) -> None:
        with app.transaction() as tx:
            processes.gone(tx, self._name)
