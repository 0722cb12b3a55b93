"""Finds the touches of a restored copy that may have been sent after it was made."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, and_, or_, select

from sop_engine.core.run import Touch
from sop_engine.store.touches import BRIEF, touch_of, touches


def due_before(tx: Connection, until: datetime, since: datetime | None, after_id: int, limit: int) -> list[Touch]:
    """Touches not sent yet that were due by then, by id: a page. What was looked at in safe mode goes by the time it was planned for."""
    c = touches.c
    due = or_(c.due_at <= until, and_(c.reason == "paused", c.first_due_at <= until))
    statement = select(*BRIEF).where(c.state.in_(("planned", "queued")), due, c.id > after_id)
    if since is not None:
        statement = statement.where(c.first_due_at >= since)
    return [touch_of(row) for row in tx.execute(statement.order_by(c.id).limit(limit))]


def unknown_among(tx: Connection, ids: Iterable[int]) -> list[Touch]:
    """Those of these touches whose outcome is unknown."""
    mine = touches.c.id.in_(list(ids)), touches.c.state == "unknown"
    return [touch_of(row) for row in tx.execute(select(*BRIEF).where(*mine).order_by(touches.c.id))]
