"""Releases what is due: claims rows, commits, then hands over hints of (touch, epoch) in batches a worker can finish in time."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from sop_engine.actions.clocks import clock_off
from sop_engine.actions.gather import gather
from sop_engine.actions.outcome import Done, finish
from sop_engine.actions.pacing import called_account, shares_calls
from sop_engine.app import App, Work
from sop_engine.core.delivery import FIRST_LOOK
from sop_engine.core.errors import SopError
from sop_engine.store import attempts, queue
from sop_engine.store.attempts import Settlement
from sop_engine.store.crash_points import cp
from sop_engine.store.people import lock_users
from sop_engine.store.queue import Claimed
from sop_engine.store.repeating import repeated

BATCH = 500  # touches in a message whose channels stay on this machine, and the most claimed in one go
CALLS = 20  # touches in a message each of which is a call over the network

Hints = Sequence[tuple[int, int]]
Enqueue = Callable[[Hints, int], object]
"""Hands (touch, epoch) pairs of one lane to workers: 0 service, 1 marketing. Raises SopError when nobody could take them."""


def release_due(app: App, now: datetime, enqueue: Enqueue, *, limit: int = BATCH, inflight: int | None = None) -> int:
    """Claim up to `limit` touches that are due and enqueue them; how many. Call again until it returns 0.

    No more than `inflight` (else the setting max_inflight) are claimed and not yet begun at a time.

    What could not be handed over is planned again at once, and the error goes on to the caller. Nothing is claimed by a clock that is
    far from the database's: what is due by it may not be due yet.
    """
    if clock_off(app):
        return 0

    def once() -> list[tuple[int, Hints]]:
        with app.work(now) as work:
            room = min(limit, max(0, (inflight or app.settings.max_inflight) - queue.count_queued(work.tx)))
            claimed = queue.claim_due(work.tx, now, app.lease_time(work.tx, now) + app.ladder.lease, room) if room else []
            batches = list(_batches(work, claimed))
            cp("before_release_commit")
            return batches

    batches = repeated(once)
    cp("after_release_commit")
    for i, (lane, hints) in enumerate(batches):
        try:
            enqueue(hints, lane)
        except SopError:
            with app.transaction() as tx:
                queue.unqueue(tx, [hint for _, left in batches[i:] for hint in left])
            raise
    return sum(len(hints) for _, hints in batches)


def _batches(work: Work, claimed: Sequence[Claimed]) -> Iterator[tuple[int, Hints]]:
    """Messages of one lane and one account each: a slow account holds up no other's touches."""
    groups: dict[tuple[int, str, bool], list[tuple[int, int]]] = {}
    for one in claimed:
        account = called_account(work, one.flow, one.step)
        together = not account or shares_calls(work, one.flow, one.step)
        groups.setdefault((one.lane, account, together), []).append((one.id, one.epoch))
    for (lane, _, together), hints in groups.items():
        size = BATCH if together else CALLS
        yield from ((lane, hints[i : i + size]) for i in range(0, len(hints), size))


def rescue(app: App, now: datetime) -> tuple[int, int]:
    """Take back what a dead worker held: (planned again, unknown)."""
    return repeated(lambda: _rescue(app, now))


def _rescue(app: App, now: datetime) -> tuple[int, int]:
    with app.work(now) as work:
        lease_time = app.lease_time(work.tx, now)
        users = queue.users_of_expired(work.tx, lease_time)
        if not users:
            return 0, 0
        lock_users(work.tx, users)
        again, lost = queue.rescue(work.tx, lease_time, now + FIRST_LOOK)
        if lost:
            attempts.settle(work.tx, [Settlement(t.id, t.epoch, "unclear", "lease ran out") for t in lost], now)
            finish(work, [Done(item, "unknown", "lease ran out", now) for item in gather(work, lost).items])
        cp("before_rescue_commit")
        return again, len(lost)
