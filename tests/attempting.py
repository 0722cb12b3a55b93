"""Stores the attempts of touches that have an intent and none yet, so that the watch can be tested by itself."""

from sqlalchemy import exists, select

from sop_engine.store import attempts
from sop_engine.store.touches import touches
from tests.shop import Shop

OUTCOMES = {"sent": "accepted", "unknown": "unclear", "failed": "refused", "sending": "open"}


def note_attempts(shop: Shop) -> None:
    """One attempt for each touch that was handed to a channel."""
    c = touches.c
    with shop.app.transaction() as tx:
        missing = ~exists().where(attempts.attempts.c.touch_id == c.id)
        rows = tx.execute(select(touches).where(c.intent_at.is_not(None), c.channel.is_not(None), missing)).all()
        new = [attempts.Attempt(r.id, r.user_id, r.epoch, r.proof, r.channel, str(r.id), "", 0, 0, r.due_at, r.intent_at) for r in rows]
        attempts.begin(tx, new)
        for row in rows:
            mine = attempts.attempts.c.touch_id == row.id
            tx.execute(attempts.attempts.update().where(mine).values(outcome=OUTCOMES.get(row.state, "open")))
