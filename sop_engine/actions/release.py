"""Releases what is due: claims rows, commits, then hands over hints of (touch, epoch)."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sop_engine.actions.gather import gather
from sop_engine.actions.outcome import Done, finish
from sop_engine.app import App
from sop_engine.store import touches
from sop_engine.store.people import lock_users

LEASE = timedelta(minutes=5)
BATCH = 500

Hints = Sequence[tuple[int, int]]


def release_due(app: App, now: datetime, enqueue: Callable[[Hints], object], *, limit: int = BATCH) -> int:
    """Claim up to `limit` touches that are due and enqueue them; how many. Call again until it returns 0."""
    with app.transaction() as tx:
        hints = touches.claim_due(tx, now, now + LEASE, limit)
    if hints:
        enqueue(hints)
    return len(hints)


def rescue(app: App, now: datetime) -> tuple[int, int]:
    """Take back what a dead worker held: (planned again, unknown)."""
    with app.work(now) as work:
        users = touches.users_of_expired(work.tx, now)
        if not users:
            return 0, 0
        lock_users(work.tx, users)
        again, lost = touches.rescue(work.tx, now)
        if lost:
            finish(work, [Done(item, "unknown", "lease ran out", now) for item in gather(work, lost).items])
        return again, len(lost)
