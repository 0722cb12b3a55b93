"""Decides which events count: those that fit; a refund takes an order back or lowers it; a second order is the same one.

What is decided depends on the events alone, not on the order in which they arrived.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from sop_engine.core.catalog import Event
from sop_engine.core.conditions import Value, holds
from sop_engine.core.project import Project
from sop_engine.core.records import EventRecord
from sop_engine.store.columns import table_of
from sop_engine.store.dialect import dialect, run
from sop_engine.store.tables import EventRow
from sop_engine.store.users import typed_values

events = table_of(EventRow)
AMOUNT = "amount"


@dataclass(frozen=True, slots=True)
class Tied:
    """An event with a reference: whether it fits its own `where`, and its money."""

    id: int
    kind: str
    fits: bool
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Settled:
    """Whether an event counts, and how much of its money was given back."""

    counted: bool
    lowered: Decimal = Decimal(0)


def field_facts(project: Project, record: EventRecord) -> dict[str, Value | None]:
    """What a `where` may read of an event."""
    local = record.at.astimezone(project.zone)
    built_in: dict[str, Value | None] = {"id": record.message_id, "actor": record.actor, "source": record.source}
    times: dict[str, Value | None] = {"date": local.date(), "hour": Decimal(local.hour), "weekday": Decimal(local.isoweekday())}
    return {**record.fields, **built_in, **times}


def counts(project: Project, event: Event | None, record: EventRecord) -> bool:
    """Whether the event fits the `where` of the catalogue."""
    return event is None or event.where is None or holds(event.where, field_facts(project, record))


def settled(project: Project, tied: Sequence[Tied]) -> dict[int, Settled]:
    """What becomes of the events of one user with one reference, in order of time."""
    result: dict[int, Settled] = {}
    for event in tied:
        undone_by = project.events[event.kind].undone_by if event.kind in project.events else None
        if undone_by is None:
            continue
        first = next((t.id for t in tied if t.kind == event.kind and t.fits), None)
        back = [t for t in tied if t.kind == undone_by[0] and t.fits]
        result[event.id] = _one(event, back) if event.id == first else Settled(False)
    return result


def _one(event: Tied, back: Sequence[Tied]) -> Settled:
    if not back:
        return Settled(True)
    amounts = [t.amount for t in back if t.amount is not None]
    # Without money on both sides there is nothing to lower: the event is taken back whole.
    if event.amount is None or len(amounts) < len(back) or sum(amounts) >= event.amount:
        return Settled(False)
    return Settled(True, sum(amounts, Decimal(0)))


def settle(tx: Connection, project: Project, pairs: Iterable[tuple[int, str]]) -> None:
    """Settle anew the events of these (user, reference) pairs."""
    changes = []
    for group in _groups(tx, pairs):
        tied = [_tied(project, row) for row in group]
        wanted = settled(project, tied)
        for row in group:
            one = wanted.get(row.id)
            if one is not None and (one.counted, one.lowered) != (bool(row.counted), row.lowered):
                changes.append({"event": row.id, "counts": one.counted, "less": one.lowered})
    if changes:
        statement = update(events).where(events.c.id == bindparam("event"))
        tx.execute(statement.values(counted=bindparam("counts"), lowered=bindparam("less")), changes)


def _groups(tx: Connection, pairs: Iterable[tuple[int, str]]) -> list[list[Row[Any]]]:
    """The events of each pair that has more than one, in order of time (of equal times by message id, which never depends on arrival)."""
    to = dialect(tx)
    rows = to.rows("pairs", {"user_id": "id", "ref": "text"})
    sql = (
        f"SELECT e.user_id, e.ref FROM ({rows}) r JOIN events e ON e.user_id = r.user_id AND e.ref = r.ref "
        "GROUP BY e.user_id, e.ref HAVING COUNT(*) > 1"
    )
    several = run(tx, sql, {"pairs": to.row_list([{"user_id": u, "ref": r} for u, r in pairs])}).all()
    c = events.c
    return [list(tx.execute(select(events).where(c.user_id == user, c.ref == ref).order_by(c.at, c.message_id))) for user, ref in several]


def _tied(project: Project, row: Row[Any]) -> Tied:
    event = project.events.get(row.kind)
    kinds = {name: f.type for name, f in event.fields.items()} if event else {}
    fields = typed_values(row.fields, kinds)
    record = EventRecord(row.message_id, "", row.kind, row.at, fields, row.actor, row.source)
    amount = fields.get(AMOUNT)
    return Tied(row.id, row.kind, counts(project, event, record), amount if isinstance(amount, Decimal) else None)
