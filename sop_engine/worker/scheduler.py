"""The scheduler: a handful of recurring jobs, none per user. Several may run; one leads, and only the leader's jobs do anything."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sop_engine.actions.catch_up import catch_up
from sop_engine.actions.clicking import forget_links, settle_clicks
from sop_engine.actions.closing import close_periods
from sop_engine.actions.confirming import due_confirmations
from sop_engine.actions.end import close_finished
from sop_engine.actions.escalate import escalate_overdue
from sop_engine.actions.feeding import feed, forget_told
from sop_engine.actions.hear_back import apply_waiting
from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.poll import poll_due
from sop_engine.actions.release import Enqueue, release_due, rescue
from sop_engine.actions.resolve import resolve_unknown
from sop_engine.actions.restored import Memory, watch_pulse
from sop_engine.actions.scheduled import start_scheduled
from sop_engine.actions.sharing import settle_shares
from sop_engine.actions.slicing import HandOut
from sop_engine.actions.sweep import missed_days
from sop_engine.actions.telling import tell
from sop_engine.actions.tending import tend_benefits
from sop_engine.actions.tracing import span
from sop_engine.actions.watch import watch
from sop_engine.app import App, Work
from sop_engine.core.errors import Refused
from sop_engine.core.inflow import BEGINNING, Inflow
from sop_engine.store import attempts, audit, inbox, processes, queue
from sop_engine.store.engine import reading
from sop_engine.worker.leading import Leader

KEPT = timedelta(days=30)  # whole messages are kept so long after the call, for a repeat or a look
RELEASE, RESCUE = timedelta(seconds=1), timedelta(seconds=10)
Do = Callable[[App, datetime], object]


@dataclass(frozen=True, slots=True)
class Job:
    """Something the leader does again and again. Jobs of one `group` never run at the same time."""

    name: str
    group: str
    every: timedelta
    do: Do


class Sending:
    """Claims what is due and takes back what nobody holds; no more is claimed than workers take before it grows old."""

    def __init__(self, enqueue: Enqueue, answers: Callable[[], bool]) -> None:
        self._enqueue, self._answers = enqueue, answers
        self._inflow = Inflow(BEGINNING)

    def release(self, app: App, now: datetime) -> int:
        """Claim and hand over what is due. Nothing of a new day goes out before its midnight is swept."""
        if not self._answers() or missed_days(app, now):
            return 0
        with app.transaction() as tx:
            waiting = queue.count_queued(tx)
        self._inflow = replace(self._inflow, most=app.settings.max_inflight).after(expired=0, waiting=waiting)
        total = 0
        while more := release_due(app, now, self._enqueue, inflight=self._inflow.room):
            total += more
        return total

    def take_back(self, app: App, now: datetime) -> None:
        """Take back what dead workers held; what grew old in the broker says that too much was in it."""
        again, _lost = rescue(app, now)
        self._inflow = self._inflow.after(expired=again, waiting=self._inflow.room)


def jobs_of(enqueue: Enqueue, hand_out: HandOut, answers: Callable[[], bool]) -> list[Job]:
    """The jobs. `answers`: whether the broker does; nothing is claimed while it does not."""

    def calendar(app: App, now: datetime) -> None:
        if answers():
            catch_up(app, now, hand_out)

    def starts(app: App, now: datetime) -> None:
        if not missed_days(app, now):  # who is not swept yet has values of the day before
            start_scheduled(app, now)

    def close(app: App, now: datetime) -> int:
        with app.work(now) as work:
            return close_finished(work)

    sending = Sending(enqueue, answers)
    return [
        Job("release", "sending", RELEASE, sending.release),
        Job("rescue", "sending", RESCUE, sending.take_back),
        Job("unknown", "asking", RESCUE, resolve_unknown),
        Job("confirmations", "asking", timedelta(seconds=30), due_confirmations),
        Job("inbox", "inbox", timedelta(seconds=5), apply_waiting),
        Job("polls", "polling", timedelta(seconds=30), poll_due),
        Job("calendar", "calendar", timedelta(seconds=2), calendar),
        Job("starts", "calendar", timedelta(seconds=5), starts),
        Job("reports", "reports", timedelta(seconds=30), close_periods),
        Job("benefits", "reports", RESCUE, tend_benefits),
        Job("watch", "watching", timedelta(seconds=30), watch),
        Job("seal", "watching", timedelta(seconds=60), seal),
        Job("invariants", "invariants", timedelta(minutes=10), ask),
        Job("tidy", "watching", timedelta(hours=1), tidy),
        Job("escalate", "calendar", timedelta(seconds=30), escalate_overdue),
        Job("clicks", "asking", RESCUE, settle_clicks),
        Job("shares", "asking", RESCUE, settle_shares),
        Job("feed", "feeding", timedelta(seconds=5), feed),
        Job("close", "calendar", timedelta(seconds=5), close),
    ]


def seal(app: App, now: datetime) -> None:
    """Seal the changes of touches into the chain of what was done."""
    with app.transaction() as tx:
        audit.seal(tx, now)


def ask(app: App, now: datetime) -> None:
    """Ask every invariant, read-only; raises Refused, which the job's record shows, when one does not hold."""
    with reading(app.engine) as tx:
        broken = ask_invariants(Work(app, tx, app.live(tx), now)).broken
    if broken:
        raise Refused(f"invariants do not hold: {', '.join(sorted({one.invariant.id for one in broken}))}; 'sop doctor' shows the rows")


def tidy(app: App, now: datetime) -> None:
    """Let go of what nobody needs any more."""
    with app.transaction() as tx:
        processes.forget(tx, now)
        attempts.forget_messages(tx, now - KEPT)
        inbox.forget(tx, now - KEPT)
    forget_links(app, now)
    forget_told(app, now)


@dataclass
class Scheduler:
    """One process that leads or waits to lead."""

    opener: Callable[[], App]
    clock: Callable[[], datetime]
    name: str
    jobs: Iterable[Job]
    memory: Memory
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Lead when it can, until told to stop."""
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler
        from apscheduler.triggers.interval import IntervalTrigger

        app, jobs = self.opener(), list(self.jobs)
        with app.transaction() as tx:
            processes.only_jobs(tx, [job.name for job in jobs])
        own = replace(app)
        leader = Leader(own, self.name, after=lambda: watch_pulse(own, self.memory, self.clock()))
        scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={group: ThreadPoolExecutor(1) for group in sorted({"default", *(job.group for job in jobs)})},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        apps = {group: replace(app, fence=leader.fence) for group in {job.group for job in jobs}}
        for job in jobs:
            trigger = IntervalTrigger(seconds=job.every.total_seconds())
            scheduler.add_job(run_job, trigger, (job, apps[job.group], leader, self.clock), id=job.name, executor=job.group)
        scheduler.add_job(self._seen, IntervalTrigger(seconds=10), (app,), id="seen", next_run_time=self.clock())
        leader.start()
        scheduler.start()
        try:
            self._stop.wait()
        finally:
            scheduler.shutdown(wait=True)
            leader.stop()
            with app.transaction() as tx:
                processes.gone(tx, self.name)
            app.engine.dispose()

    def stop(self) -> None:
        """End it in good order: what is being done is finished."""
        self._stop.set()

    def _seen(self, app: App) -> None:
        from sop_engine import __version__

        with app.transaction() as tx:
            processes.seen(tx, self.name, "scheduler", self.clock(), version=__version__)


def run_job(job: Job, app: App, leader: Leader, clock: Callable[[], datetime]) -> bool:
    """Do a job if this process leads, and remember how it went; whether it went well."""
    if not leader.leads:
        return False
    try:
        with span(f"job {job.name}", job=job.name):
            job.do(app, clock())
        with app.transaction() as tx:
            processes.job_done(tx, job.name, job.every, clock())
    except Exception as error:
        if leader.leads:  # otherwise another leads by now, and has its own record
            tell("job_failed", level="warning", job=job.name, error=type(error).__name__)
            _remember(job, app, clock(), _first_line(error))
        return False
    return True


def _first_line(error: Exception) -> str:
    """What is wrong; a database names values of users on later lines."""
    return f"{type(error).__name__}: {str(getattr(error, 'orig', None) or error).strip().partition(chr(10))[0]}"


def _remember(job: Job, app: App, at: datetime, error: str) -> None:
    try:
        with app.transaction() as tx:
            processes.job_failed(tx, job.name, job.every, at, error)
    except Exception as again:
        tell("job_not_recorded", level="warning", job=job.name, error=type(again).__name__)
