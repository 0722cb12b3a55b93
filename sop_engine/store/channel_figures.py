"""Counts what went through channels lately, and what came back."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from sop_engine.store.columns import table_of
from sop_engine.store.link_tables import ClickRow
from sop_engine.store.run_tables import ReceiptRow, TouchRow
from sop_engine.store.safety_tables import AttemptRow

touches, receipts, attempts, clicks = (table_of(row) for row in (TouchRow, ReceiptRow, AttemptRow, ClickRow))


def sent_since(tx: Connection, since: datetime) -> dict[str, int]:
    """By channel: how many touches were sent since then."""
    c = touches.c
    rows = tx.execute(select(c.channel, func.count()).where(c.state == "sent", c.done_at >= since).group_by(c.channel))
    return {row[0]: row[1] for row in rows if row[0]}


def receipts_since(tx: Connection, since: datetime) -> dict[str, dict[str, int]]:
    """By channel: how many receipts of each kind came since then; `suspect`: visits of links that were a machine's."""
    found: dict[str, dict[str, int]] = {}
    came = select(touches.c.channel, receipts.c.kind, func.count()).join(receipts, receipts.c.touch_id == touches.c.id)
    for channel, kind, number in tx.execute(came.where(receipts.c.at >= since).group_by(touches.c.channel, receipts.c.kind)):
        found.setdefault(channel or "", {})[kind] = number
    machines = select(touches.c.channel, func.count()).join(clicks, clicks.c.touch_id == touches.c.id)
    for channel, number in tx.execute(machines.where(clicks.c.state == "suspect", clicks.c.at >= since).group_by(touches.c.channel)):
        found.setdefault(channel or "", {})["suspect"] = number
    return found


def last_error(tx: Connection, channel: str) -> tuple[datetime, str] | None:
    """When the last call through the channel went wrong, and the stored word for why."""
    c = attempts.c
    mine = c.channel == channel, c.reason.is_not(None), c.outcome != "accepted"
    row = tx.execute(select(c.began_at, c.reason).where(*mine).order_by(c.began_at.desc()).limit(1)).first()
    return None if row is None else (row.began_at, row.reason)
