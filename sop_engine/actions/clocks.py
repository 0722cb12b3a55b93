"""Keeps a process whose clock is wrong from sending: what it was given waits, and goes on once the clocks agree again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sop_engine.actions.telling import tell
from sop_engine.app import App
from sop_engine.core.clocks import told, too_far
from sop_engine.store import queue, touches
from sop_engine.store.clock import database_time

if TYPE_CHECKING:
    from sqlalchemy import Connection

LOOK_AGAIN = timedelta(minutes=1)


def skew_of(app: App, tx: "Connection") -> timedelta:
    """How far this host's clock is ahead of the database's (below 0: behind); nothing where they are not compared."""
    if app.host_clock is None or app.lease_clock is None or not _compares(app):
        return timedelta(0)
    return app.host_clock() - app.lease_clock(tx)


def _compares(app: App) -> bool:
    """Not where the clock is made up, nor where the database is a file of this host."""
    own = app.engine.dialect.name == "sqlite" and app.lease_clock is database_time
    return app.host_clock is not None and app.lease_clock is not None and app.rehearsal is None and not own


def clock_off(app: App) -> str:
    """Why this process may send nothing by its clock, in words; empty when it may."""
    if not _compares(app):
        return ""
    with app.transaction() as tx:
        return told(skew_of(app, tx))


def hold_by_clock(app: App, hints: Sequence[tuple[int, int]], now: datetime) -> bool:
    """Whether this process's clock is too far off to decide about these touches: then they are planned again, by the database's time.

    They wait a minute, so that a worker on another host may take them; the moment at which they are late stays as it was.
    """
    if not _compares(app):
        return False
    with app.transaction() as tx:
        skew, database = skew_of(app, tx), app.lease_time(tx, now)
        if not too_far(skew):
            return False
        held = queue.hold(tx, queue.queued_for_delivery(tx, hints), "queued")
        touches.write(
            tx,
            "queued",
            [{"touch": t.id, "state": "planned", "reason": "clock", "due_at": database + LOOK_AGAIN, "lease_until": None} for t in held],
        )
    tell("clock_off", level="error", seconds=round(skew.total_seconds()), count=len(held))
    return True
