"""Follows links that went from hand to hand: when somebody else opens a user's link, both are told."""

from datetime import datetime

from sop_engine.actions.ingest import NotRecorded, record_events
from sop_engine.actions.telling import tell
from sop_engine.app import App, Work
from sop_engine.core.records import EventRecord
from sop_engine.store import people, shares
from sop_engine.store.shares import Share

MOST = 500


def settle_shares(app: App, now: datetime) -> int:
    """Record the event `link_shared` for both, once for each who opened; for whoever opened an own link nothing. How many opened."""
    with app.work(now) as work:
        waiting = shares.pending(work.tx, MOST)
        if not waiting:
            return 0
        ids = people.ids_of(work.tx, {s.opener for s in waiting})
    own = [s for s in waiting if ids.get(s.opener) in (None, s.owner_id)]
    others = [s for s in waiting if s not in own]
    try:
        record_events(app, [record for s in others for record in _shared(s)], now)  # their ids are fixed: a repeat changes nothing
    except NotRecorded as error:
        tell("click_not_taken", level="error", count=len(error.failed), error=error.reason)
    with app.transaction() as tx:
        shares.judge(tx, others, own)
    return len(others)


def next_sharing(work: Work) -> datetime | None:
    """When the oldest waits."""
    return shares.next_pending(work.tx) if work.app.rehearsal is None else None


def _shared(share: Share) -> list[EventRecord]:
    flow, _, level = share.flow.partition("/")
    fields = {"playbook": flow, "level": level, "step": share.step, "link": share.name}
    key = f"share:{share.touch_id}:{share.opener}"
    owner = EventRecord(f"{key}:owner", share.owner, "link_shared", share.at, {**fields, "result": "owner"}, "user", "sop")
    return [owner, EventRecord(f"{key}:opener", share.opener, "link_shared", share.at, {**fields, "result": "opener"}, "user", "sop")]
