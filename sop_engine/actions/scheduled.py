"""Starts flows that begin at a date or by a schedule, for all who fit; once per occasion, missed ones too."""

from datetime import datetime

from sop_engine.actions.start import Candidate, start_runs
from sop_engine.app import App, Work
from sop_engine.core.calendar import resolve
from sop_engine.core.conditions import Always
from sop_engine.core.playbook import Flow
from sop_engine.core.recurrence import next_time
from sop_engine.store import facts as store_facts
from sop_engine.store import versions
from sop_engine.store.people import lock_everybody

PAGE = 1000
FIRED = "fired:"  # begins the marks that say when a flow started last


def start_scheduled(app: App, now: datetime) -> int:
    """Start every flow whose occasion has come since the last time it fired; how many runs."""
    with app.work(now) as work:
        timed = work.live.interest.timed
        return sum(_fire(work, flow) for flow in timed)


def next_occasion(work: Work) -> datetime | None:
    """When the next flow starts by itself."""
    return min((at for flow in work.live.interest.timed if (at := _next(work, flow)) is not None), default=None)


def _next(work: Work, flow: Flow) -> datetime | None:
    stored = versions.get_mark(work.tx, FIRED + flow.id)
    if stored is None:
        return None
    last, zone = datetime.fromisoformat(stored), work.live.zone
    if flow.start.instant is not None:
        local = flow.start.instant.local
        at = resolve(local.date(), local.hour * 60 + local.minute, zone)
        return at if at > last else None
    if flow.start.schedule is None:
        return None
    return next_time(flow.start.schedule, last, zone, work.project.calendar, started_on=last.astimezone(zone).date(), dates={})


def _fire(work: Work, flow: Flow) -> int:
    started = 0
    while (at := _next(work, flow)) is not None and at <= work.now:
        if not started:
            lock_everybody(work.tx)
            if _next(work, flow) != at:
                continue  # another process was first
        occasion = Work(work.app, work.tx, work.live, at)
        started += _start_all(occasion, flow)
        versions.set_mark(work.tx, FIRED + flow.id, at.isoformat())
    return started


def _start_all(work: Work, flow: Flow) -> int:
    started, after = 0, 0
    condition = flow.only or Always()
    while users := store_facts.select_audience(work.tx, work.project, condition, work.now, after_id=after, limit=PAGE):
        candidates = [Candidate(user, flow, f"schedule {work.now.isoformat()}", work.now.isoformat()) for user in users]
        started += start_runs(work, candidates)
        after = users[-1]
    return started
