"""The Celery application: its tasks take hints, which may come twice, late or never, and do what the rows say."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from celery import Celery, signals
from celery.exceptions import SoftTimeLimitExceeded

from sop_engine.actions.deliver import deliver
from sop_engine.actions.release import BATCH, Hints
from sop_engine.app import App
from sop_engine.core.errors import Refused
from sop_engine.core.ladder import ladder_of
from sop_engine.settings import Settings
from sop_engine.worker.options import PREFIX, QUEUES, options
from sop_engine.worker.pace import SharedPace

log = logging.getLogger("sop.worker")
DELIVER = PREFIX + "deliver"
BIGGEST_ID = 2**62
Opener = Callable[[], App]


def clock() -> datetime:
    """Now, aware UTC."""
    return datetime.now(UTC)


class Worker:
    """One process of the pool: it opens its own database and channels after the fork."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._app: App | None = None

    @property
    def app(self) -> App:
        """The engine of this process."""
        if self._app is None:
            self._app = self._opener()
            self._app.pace = SharedPace(self._app.settings) if self._app.settings.redis_url else None
        return self._app

    def close(self) -> None:
        """Let go of connections."""
        if self._app is not None:
            self._app.close()
            self._app.engine.dispose()


def celery_app(settings: Settings, opener: Opener) -> Celery:
    """The application with its tasks. Raises Refused without SOP_REDIS_URL."""
    if not settings.redis_url:
        raise Refused(
            "SOP_REDIS_URL is not set: workers take their hints from Redis. Without it, 'sop run' does everything in one process."
        )
    celery = Celery("sop", set_as_current=False)
    celery.conf.update(
        options(settings.redis_url, ladder_of(settings.lease_s), prefix=f"sop:{settings.instance}:" if settings.instance else "sop:")
    )
    worker = Worker(opener)

    @celery.task(name=DELIVER)  # type: ignore[untyped-decorator]
    def deliver_hints(pairs: Any) -> int:
        hints = checked(pairs)
        if hints is None:
            log.warning("bad_hint", extra={"size": len(pairs) if isinstance(pairs, list) else None})
            return 0
        try:
            return deliver(worker.app, hints, clock())
        except SoftTimeLimitExceeded:  # what it held comes back when its lease is over
            log.warning("out_of_time", extra={"size": len(hints)})
            return 0

    def end(**_told: Any) -> None:
        worker.close()

    signals.worker_process_shutdown.connect(end, weak=False)
    return celery


def checked(pairs: Any) -> Hints | None:
    """The hints of a message; None when it is none of ours: a message is untrusted."""
    if not isinstance(pairs, list) or not 0 < len(pairs) <= BATCH:
        return None
    ok = all(isinstance(p, list) and len(p) == 2 and all(type(n) is int and 0 < n < BIGGEST_ID for n in p) for p in pairs)
    return [(touch, epoch) for touch, epoch in pairs] if ok else None


def enqueuer(celery: Celery) -> Callable[[Hints, int], None]:
    """Hands hints to the workers of their lane. Raises Refused while the broker does not take them."""
    expires = celery.conf.task_time_limit

    def enqueue(hints: Sequence[tuple[int, int]], lane: int) -> None:
        try:
            celery.send_task(DELIVER, args=[[list(h) for h in hints]], queue=PREFIX + QUEUES[lane], expires=expires, retry=False)
        except Exception as error:  # kombu wraps what the client of Redis raises, and not always
            if type(error).__module__.partition(".")[0] not in ("kombu", "redis", "builtins", "celery"):
                raise
            raise Refused(f"Redis does not take messages now ({type(error).__name__}): touches stay planned until it does") from error

    return enqueue


def run_worker(settings: Settings, opener: Opener, *, queues: Sequence[str], concurrency: int, name: str, level: str = "WARNING") -> int:
    """Work until told to end: TERM finishes what is being sent and gives back the rest."""
    celery = celery_app(settings, opener)
    words = ["worker", "--without-gossip", "--without-mingle", "--queues", ",".join(PREFIX + q for q in queues)]
    words += ["--concurrency", str(concurrency), "--hostname", name, "--loglevel", level]
    celery.worker_main(words)
    return 0
