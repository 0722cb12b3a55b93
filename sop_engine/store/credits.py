"""Reads delivered touches with what they were, and which of them a goal is credited to: the last one inside the goal's window."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, select

from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import ReceiptRow, RunRow, TouchRow

touches = table_of(TouchRow)
runs = table_of(RunRow)
receipts = table_of(ReceiptRow)


@dataclass(frozen=True, slots=True)
class DeliveredTouch:
    """A delivered marketing touch and the goal of its run."""

    id: int
    run_id: int
    flow: str
    labels: tuple[str, ...]
    delivered_at: datetime
    goal_at: datetime | None


def list_delivered(tx: Connection, flows: Sequence[str], by: Sequence[str], until: datetime) -> Iterator[DeliveredTouch]:
    """Marketing touches of these flows (all, if none is named) that were delivered by then, by run and time."""
    t, r = touches.c, runs.c
    at = func.coalesce(receipts.c.at, t.done_at)
    columns = {
        "content_type": t.content_type,
        "channel": t.channel,
        "benefit": t.benefit,
        "level": t.level,
        "variant": r.variant,
        "playbook": t.flow,
        "step": t.step,
        "template": t.template,
        "choice": t.choice,
    }
    came = and_(receipts.c.touch_id == t.id, receipts.c.kind == "delivered")
    statement = select(t.id, t.run_id, t.flow, at.label("at"), r.goal_at, *(columns[name].label(f"by_{name}") for name in by))
    statement = statement.join(runs, r.id == t.run_id).join(receipts, came)
    statement = statement.where(t.state == "sent", t.purpose == "marketing", receipts.c.at < until)
    if flows:
        statement = statement.where(t.flow.in_(flows))
    for row in tx.execute(statement.order_by(t.run_id, t.id)):
        goal = row.goal_at if row.goal_at is not None and row.goal_at < until else None
        yield DeliveredTouch(row.id, row.run_id, row.flow, tuple(str(v) if v is not None else "-" for v in row[5:]), row.at, goal)
