"""The Celery application: its tasks take hints, which may come twice, late or never, and do what the rows say."""

import gc
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from celery import Celery, signals
from celery.exceptions import SoftTimeLimitExceeded
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from sop_engine.actions.deliver import deliver
from sop_engine.actions.release import BATCH, Hints
from sop_engine.actions.slicing import AT_ONCE, do_slice
from sop_engine.actions.telling import begin_telling, tell
from sop_engine.actions.tracing import begin_tracing, span
from sop_engine.app import App, Seats
from sop_engine.core.errors import Refused
from sop_engine.core.ladder import ladder_of
from sop_engine.settings import Settings
from sop_engine.store.slices import Hint as SliceHint
from sop_engine.worker.broker import Redis
from sop_engine.worker.heart import Heart
from sop_engine.worker.options import PREFIX, QUEUES, options
from sop_engine.worker.pace import SharedPace
from sop_engine.worker.seats import FileSeats

DELIVER, SLICE = PREFIX + "deliver", PREFIX + "slice"
BIGGEST_ID = 2**62
TASK = re.compile(r"(sweep:\d{1,7}|refresh:[0-9T:.+-]{10,40})")
Opener = Callable[[], App]


def clock() -> datetime:
    """Now, aware UTC."""
    return datetime.now(UTC)


class Worker:
    """One process of the pool: it opens its own database and channels after the fork. `worked` is called when a task is over."""

    def __init__(self, opener: Opener, worked: Callable[[], object], seats: Seats | None = None) -> None:
        self._opener, self._worked, self._seats = opener, worked, seats
        self._app: App | None = None

    @property
    def app(self) -> App:
        """The engine of this process."""
        if self._app is None:
            self._app = self._opener()
            self._app.pace = SharedPace(self._app.settings) if self._app.settings.redis_url else None
            self._app.seats = self._seats
            self._app.told_to_end = (SoftTimeLimitExceeded,)
        return self._app

    def begin(self, log: str) -> None:
        """Begin to tell, in this process."""
        begin_telling(log, "json")
        begin_tracing("worker")

    def deliver(self, pairs: Any) -> int:
        """The task that delivers touches; how many were handed to a channel."""
        hints = checked(pairs)
        if hints is None:
            tell("bad_hint", level="warning", count=len(pairs) if isinstance(pairs, list) else None)
            return 0
        try:
            with span("deliver", count=len(hints)):
                return deliver(self.app, hints, clock())
        except SoftTimeLimitExceeded:  # what it held comes back when its lease is over
            tell("out_of_time", level="warning", count=len(hints))
            return 0
        finally:
            self._worked()

    def slices(self, hints: Any) -> int:
        """The task that does slices of a midnight or a refresh; how many it did."""
        asked = checked_slices(hints)
        if asked is None:
            tell("bad_hint", level="warning", count=len(hints) if isinstance(hints, list) else None)
            return 0
        try:
            with span("slices", task=asked[0][0], count=len(asked)):
                return sum(do_slice(self.app, task, first, clock(), epoch=epoch) is not None for task, first, epoch in asked)
        finally:
            self._worked()

    def close(self) -> None:
        """Let go of connections."""
        if self._app is not None:
            self._app.close()
            self._app.engine.dispose()


def prefix_of(settings: Settings) -> str:
    """Begins every name in Redis: several installations may share one."""
    return f"sop:{settings.instance}:" if settings.instance else "sop:"


def celery_app(settings: Settings, opener: Opener, *, worked: Callable[[], object] = lambda: None, seats: Seats | None = None) -> Celery:
    """The application with its tasks; `worked` is called when one is over. Raises Refused without SOP_REDIS_URL."""
    if not settings.redis_url:
        raise Refused("workers take their hints from Redis: set SOP_REDIS_URL. Without it, 'sop run' does everything in one process.")
    celery = Celery("sop", set_as_current=False)
    celery.conf.update(options(settings.redis_url, ladder_of(settings.lease_s), prefix=prefix_of(settings)))
    worker = Worker(opener, worked, seats)
    celery.task(worker.deliver, name=DELIVER)
    hard = celery.conf.task_time_limit  # a slice that was cut short would look like one with a bad user: it gets far more time
    celery.task(worker.slices, name=SLICE, soft_time_limit=hard * 9, time_limit=hard * 10)
    signals.worker_init.connect(_before_children, weak=False)
    signals.worker_process_init.connect(lambda **_told: worker.begin(settings.log), weak=False)
    signals.worker_process_shutdown.connect(lambda **_told: worker.close(), weak=False)
    return celery


def _before_children(**_told: object) -> None:
    """Children share what their parent has loaded for as long as nobody writes there, as the garbage collector would."""
    gc.collect()
    gc.freeze()


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


def run_worker(settings: Settings, opener: Opener, *, queues: Sequence[str], concurrency: int, name: str) -> None:
    """Work until told to end: TERM finishes what is being sent and gives back the rest."""
    heart = Heart(opener, name, [PREFIX + q for q in queues], Redis(settings.redis_url, prefix_of(settings)), clock)
    every_s = ladder_of(settings.lease_s).call.total_seconds()
    signals.worker_ready.connect(lambda **_told: heart.start(every_s), weak=False)
    words = ["--quiet", "worker", "--without-gossip", "--without-mingle", "--queues", ",".join(PREFIX + q for q in queues)]
    words += ["--concurrency", str(concurrency), "--hostname", name, "--loglevel", "WARNING"]
    with TemporaryDirectory(prefix="sop-seats-") as folder:
        try:
            celery_app(settings, opener, worked=heart.worked, seats=FileSeats(Path(folder), concurrency)).worker_main(words)
        finally:
            heart.stop()
