"""Catches up with the calendar: every missed midnight and refresh in order, each at the time it should have been."""

from dataclasses import dataclass
from datetime import datetime

from sop_engine.actions.refresh import REFRESH_MINUTE, refresh_due
from sop_engine.actions.sweep import missed_days, sweep_day
from sop_engine.app import App
from sop_engine.core.calendar import resolve


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What was missed: how many midnights, and the metrics fitted anew."""

    swept: int = 0
    refreshed: tuple[str, ...] = ()


def catch_up(app: App, now: datetime) -> CaughtUp:
    """Sweep every midnight up to now and refresh what was due on the way: no level expires for want of a refresh that comes later."""
    days = missed_days(app, now)
    refreshed: list[str] = []
    for day in days:
        sweep_day(app, day)
        with app.work(now) as work:
            due_at = resolve(day, REFRESH_MINUTE, work.live.zone)
        refreshed += _refresh(app, min(due_at, now))
    return CaughtUp(len(days), (*refreshed, *_refresh(app, now)))


def _refresh(app: App, at: datetime) -> list[str]:
    """In a story population numbers are unknown unless they are given."""
    return refresh_due(app, at) if app.rehearsal is None or app.rehearsal.draws else []
