"""One beat of the engine: what a minute brings. The same for `sop run`, `sop tick`, stories and backtests."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sop_engine.actions.catch_up import catch_up
from sop_engine.actions.clicking import next_judging, settle_clicks
from sop_engine.actions.closing import close_periods, next_close
from sop_engine.actions.conclude import conclude
from sop_engine.actions.confirming import due_confirmations, next_confirmation
from sop_engine.actions.deliver import deliver
from sop_engine.actions.end import close_finished
from sop_engine.actions.escalate import escalate_overdue, next_deadline
from sop_engine.actions.feeding import feed, next_feeding
from sop_engine.actions.hear_back import apply_waiting
from sop_engine.actions.poll import poll_due
from sop_engine.actions.release import Enqueue, release_due, rescue
from sop_engine.actions.resolve import resolve_unknown
from sop_engine.actions.scheduled import next_occasion, start_scheduled
from sop_engine.actions.sharing import next_sharing, settle_shares
from sop_engine.actions.tending import tend_benefits
from sop_engine.app import App
from sop_engine.core.calendar import midnight
from sop_engine.store import queue, runs, touches
from sop_engine.store.restless import restless


@dataclass(frozen=True, slots=True)
class Beat:
    """What one beat did."""

    swept: int = 0  # local midnights
    refreshed: tuple[str, ...] = ()
    started: int = 0  # by schedules
    released: int = 0
    closed: int = 0  # runs finished
    rescued: int = 0  # touches whose worker died before it began: planned again
    lost: int = 0  # touches whose worker died while sending: outcome unknown
    settled: int = 0  # unknown outcomes that are known now, or given up


def beat(app: App, now: datetime, enqueue: Enqueue | None = None) -> Beat:
    """Catch up with midnights and refreshes, start schedules, escalate tasks, take back expired leases, release, close finished runs.

    `enqueue` hands hints to workers; without it they are delivered here.
    """
    caught_up = catch_up(app, now)
    conclude(app, now)
    started = start_scheduled(app, now)
    escalate_overdue(app, now)
    rescued, lost = rescue(app, now) if app.rehearsal is None else (0, 0)
    if app.rehearsal is None:
        apply_waiting(app, now)
        poll_due(app, now)
    settled = resolve_unknown(app, now) if app.rehearsal is None else 0
    if app.rehearsal is None:
        settle_clicks(app, now)
        settle_shares(app, now)
        due_confirmations(app, now)
    released = closed = 0
    while True:
        more = release_due(app, now, enqueue or (lambda hints, _lane: deliver(app, hints, now)))
        with app.work(now) as work:
            ended, waiting = close_finished(work), restless(work.tx)
        released, closed = released + more, closed + ended
        if not more and not ended:
            if waiting:
                tend_benefits(app, now)
            close_periods(app, now)
            feed(app, now)
            return Beat(caught_up.swept, caught_up.refreshed, started, released, closed, rescued, lost, settled)


def next_moment(app: App, now: datetime) -> datetime:
    """The next time anything can happen by itself: a midnight, a touch that is due, a run that is over, a scheduled start, a deadline."""
    with app.work(now) as work:
        tomorrow = midnight((now.astimezone(work.live.zone) + timedelta(days=1)).date(), work.live.zone)
        times = [
            tomorrow,
            touches.next_due(work.tx),
            queue.next_look(work.tx),
            next_confirmation(work),
            runs.next_close(work.tx),
            next_occasion(work),
            next_deadline(work),
            next_close(work),
            next_judging(work),
            next_feeding(work),
            next_sharing(work),
        ]
    return max(now, min(t for t in times if t is not None))


def advance(app: App, now: datetime, until: datetime, *, inclusive: bool = True) -> datetime:
    """Let made-up time pass from `now` to `until`, one beat at every moment something happens; returns `until`."""
    while True:
        moment = next_moment(app, now)
        if moment > until or (moment == until and not inclusive):
            return until
        beat(app, moment)
        now = moment if moment > now else moment + timedelta(microseconds=1)
