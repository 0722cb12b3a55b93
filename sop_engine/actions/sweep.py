"""Sweeps a local midnight, slice by slice: windows whose edge passed, levels of everybody, and what follows for those who moved."""

from datetime import date, datetime
from typing import Any

from sop_engine.actions.everybody import sweep_everybody
from sop_engine.actions.existing import start_existing
from sop_engine.actions.ingest import NotRecorded, record_events
from sop_engine.actions.slicing import SWEEP, HandOut, work_off
from sop_engine.app import App, Work
from sop_engine.core.calendar import midnight
from sop_engine.core.conditions import Value
from sop_engine.core.records import EventRecord
from sop_engine.store import grants, set_aside, slices, versions
from sop_engine.store.people import lock_everybody, lock_some, people

EXPIRED = "benefit_expired"
SWEPT = "swept"  # the last local day whose midnight was swept


def missed_days(app: App, now: datetime) -> list[date]:
    """The local days up to today whose midnight was not swept yet, in order."""
    with app.work(now) as work:
        last = versions.get_mark(work.tx, SWEPT)
        first = int(last) + 1 if last else work.day
        return [date.fromordinal(day) for day in range(first, work.day + 1)]


def sweep_day(app: App, day: date, now: datetime | None = None, hand_out: HandOut | None = None) -> int | None:
    """Sweep the midnight with which this local day begins; how many moves, or None while workers are at it (with `hand_out`).

    Each slice is a transaction of its own, and so is the end; in a rehearsal all of it is one.
    """
    if app.rehearsal is not None:
        _tell_expired(app, day)
        return _at_once(app, day)
    task = f"{SWEEP}:{day.toordinal()}"
    with app.transaction() as tx:
        live = app.live(tx)
        tells = EXPIRED in live.interest.event_kinds and not slices.is_planned(tx, task)
        if not tells:
            _plan(tx, day, task)
    if tells:
        _tell_expired(app, day)
        with app.transaction() as tx:
            _plan(tx, day, task)
    return _close(app, day, task) if work_off(app, task, now or midnight(day, live.zone), hand_out) else None


def _plan(tx: Any, day: date, task: str) -> None:
    lock_some(tx)  # not while another process closes this day
    if not _is_swept(tx, day):
        slices.plan(tx, task)


def _at_once(app: App, day: date) -> int:
    with app.transaction() as tx:
        if _is_swept(tx, day):
            return 0
        live = app.live(tx)
        work = Work(app, tx, live, midnight(day, live.zone))
        moves = sweep_everybody(work, day)
        _end(work, day)
    return moves


def _close(app: App, day: date, task: str) -> int | None:
    """What comes when everybody is swept, once; None if a slice is open again."""
    with app.transaction() as tx:
        lock_everybody(tx)
        if _is_swept(tx, day):
            return 0  # another process was first
        if slices.left(tx, task):
            return None
        live = app.live(tx)
        _end(Work(app, tx, live, midnight(day, live.zone)), day)
        return slices.forget(tx, task)


def _is_swept(tx: Any, day: date) -> bool:
    swept = versions.get_mark(tx, SWEPT)
    return swept is not None and int(swept) >= day.toordinal()


def _end(work: Work, day: date) -> None:
    start_existing(work)
    grants.expire(work.tx, work.now)
    versions.set_mark(work.tx, SWEPT, str(day.toordinal()))


def _tell_expired(app: App, day: date) -> None:
    """A benefit that ran out unused is an event, if anything looks at it; told before it is marked, so that a crash loses none."""
    with app.transaction() as tx:
        live = app.live(tx)
        now = midnight(day, live.zone)
        over = grants.list_over(tx, now) if EXPIRED in live.interest.event_kinds else []
        owners = people(tx, {grant.user_id for grant in over})
    told = [EventRecord(f"expired:{g.id}", owners[g.user_id].key, EXPIRED, now, _about(g), "system", "sop") for g in over]
    try:
        record_events(app, told, now)
    except NotRecorded as error:  # the midnight goes on without them
        with app.transaction() as tx:
            for g in over:
                if f"expired:{g.id}" in error.failed:
                    set_aside.set_aside(tx, g.user_id, f"{SWEEP}:{day.toordinal()}", now, f"{EXPIRED}: {error.reason}")


def _about(grant: Any) -> dict[str, Value]:
    playbook, _, level = grant.flow.partition("/")
    return {"playbook": playbook, "level": level, "step": grant.step, "benefit": grant.benefit, "code": grant.code}
