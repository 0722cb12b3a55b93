"""Catches up with the calendar: every missed midnight and refresh in order, each at the time it should have been."""

from dataclasses import dataclass
from datetime import datetime

from sop_engine.actions.refresh import REFRESH_MINUTE, finish_refreshes, refresh_due
from sop_engine.actions.slicing import HandOut
from sop_engine.actions.sweep import missed_days, sweep_day
from sop_engine.app import App
from sop_engine.core.calendar import resolve
from sop_engine.store.refused_items import forget_old


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What was missed: how many midnights, and the metrics fitted anew; whether workers are still at the rest of it."""

    swept: int = 0
    refreshed: tuple[str, ...] = ()
    waiting: bool = False


def catch_up(app: App, now: datetime, hand_out: HandOut | None = None) -> CaughtUp:
    """Sweep every midnight up to now and refresh what was due on the way: no level expires for want of a refresh that comes later.

    One after the other, each to its end. With `hand_out` workers do the slices, and this returns while some are out: call it again.
    """
    swept, refreshed = 0, list[str]()
    if app.rehearsal is None and not finish_refreshes(app, now, hand_out):
        return CaughtUp(waiting=True)
    for day in missed_days(app, now):
        if sweep_day(app, day, now, hand_out) is None:
            return CaughtUp(swept, tuple(refreshed), waiting=True)
        swept += 1
        fitted = _refresh(app, min(resolve(day, REFRESH_MINUTE, app.zone), now), hand_out)
        refreshed += fitted
        if fitted and hand_out is not None:
            return CaughtUp(swept, tuple(refreshed), waiting=True)
    if swept and app.rehearsal is None:
        with app.transaction() as tx:
            forget_old(tx, now)
    fitted = _refresh(app, now, hand_out)
    return CaughtUp(swept, (*refreshed, *fitted), waiting=bool(fitted) and hand_out is not None)


def _refresh(app: App, at: datetime, hand_out: HandOut | None) -> list[str]:
    """In a story population numbers are unknown unless they are given."""
    return refresh_due(app, at, hand_out=hand_out) if app.rehearsal is None or app.rehearsal.draws else []
