"""The Celery application: its tasks take hints, which may come twice, late or never, and do what the rows say."""

import logging
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from celery import Celery, signals
from celery.exceptions import SoftTimeLimitExceeded
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from sop_engine.actions.deliver import deliver
from sop_engine.actions.release import BATCH, Hints
from sop_engine.actions.slicing import AT_ONCE, do_slice
from sop_engine.app import App
from sop_engine.core.errors import Refused
from sop_engine.core.ladder import ladder_of
from sop_engine.settings import Settings
from sop_engine.store.slices import Hint as SliceHint
from sop_engine.worker.options import PREFIX, QUEUES, options
from sop_engine.worker.pace import SharedPace

log = logging.getLogger("sop.worker")
DELIVER, SLICE = PREFIX + "deliver", PREFIX + "slice"
BIGGEST_ID = 2**62
TASK = re.compile(r"(sweep:\d{1,7}|refresh:[0-9T:.+-]{10,40})")
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

    @celery.task(name=SLICE)  # type: ignore[untyped-decorator]
    def do_slices(hints: Any) -> int:
        asked = checked_slices(hints)
        if asked is None:
            log.warning("bad_hint", extra={"size": len(hints) if isinstance(hints, list) else None})
            return 0
        return sum(do_slice(worker.app, task, first, clock(), epoch=epoch) is not None for task, first, epoch in asked)

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


def checked_slices(hints: Any) -> list[SliceHint] | None:
    """The hints of a message about slices; None when it is none of ours."""
    if not isinstance(hints, list) or not 0 < len(hints) <= AT_ONCE:
        return None
    ok = all(
        isinstance(h, list) and len(h) == 3 and isinstance(h[0], str) and TASK.fullmatch(h[0]) and all(type(n) is int for n in h[1:])
        for h in hints
    )
    return [(task, first, epoch) for task, first, epoch in hints] if ok else None


class Broker:
    """Hands hints to workers. Raises Refused while Redis does not take them: what was claimed is planned again."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery

    def deliver(self, hints: Hints, lane: int) -> None:
        """Touches of one lane: 0 service, 1 marketing."""
        self._send(DELIVER, [list(h) for h in hints], PREFIX + QUEUES[lane])

    def slices(self, hints: Sequence[SliceHint]) -> None:
        """Slices of a midnight or a refresh, each a message of its own."""
        for hint in hints:
            self._send(SLICE, [list(hint)], PREFIX + "upkeep")

    def _send(self, task: str, argument: list[Any], queue: str) -> None:
        try:
            self._celery.send_task(task, args=[argument], queue=queue, expires=self._celery.conf.task_time_limit, retry=False)
        except (OSError, OperationalError, RedisError) as error:
            raise Refused(f"Redis does not take messages now ({type(error).__name__}): nothing is lost, it is tried again") from error


def run_worker(settings: Settings, opener: Opener, *, queues: Sequence[str], concurrency: int, name: str, level: str = "WARNING") -> int:
    """Work until told to end: TERM finishes what is being sent and gives back the rest."""
    celery = celery_app(settings, opener)
    words = ["worker", "--without-gossip", "--without-mingle", "--queues", ",".join(PREFIX + q for q in queues)]
    words += ["--concurrency", str(concurrency), "--hostname", name, "--loglevel", level]
    celery.worker_main(words)
    return 0
