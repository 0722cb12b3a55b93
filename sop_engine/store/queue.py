"""The queue in the table of touches: what is due, who holds it and until when, and what nobody holds any more."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

from sqlalchemy import Connection, bindparam, func, select, text, update

from sop_engine.core.run import Touch
from sop_engine.store.bulk import among
from sop_engine.store.touches import BRIEF, touch_of, touches

_TIME = touches.c.due_at.type
LANES = (0, 1)
_WITH_WORKERS = text("touches.state IN ('queued', 'sending')")  # word for word as its index says it, or SQLite does not use that
_QUEUED = select(*BRIEF).where(among(touches.c.id), touches.c.state == "queued")
_IN_STATE = select(touches.c.id, touches.c.epoch, touches.c.user_id).where(among(touches.c.id), touches.c.state == bindparam("state"))
_HELD = _IN_STATE.order_by(touches.c.id).with_for_update()

# Every flow with something due, by one step through the index for each flow, however many touches wait.
_HEADS = text(
    "WITH RECURSIVE heads(flow) AS (SELECT MIN(flow) FROM touches WHERE state = 'planned' AND lane = :lane UNION ALL "
    "SELECT (SELECT MIN(t.flow) FROM touches t WHERE t.state = 'planned' AND t.lane = :lane AND t.flow > heads.flow) "
    "FROM heads WHERE heads.flow IS NOT NULL) SELECT flow FROM heads WHERE flow IS NOT NULL AND EXISTS "
    "(SELECT 1 FROM touches t WHERE t.state = 'planned' AND t.lane = :lane AND t.flow = heads.flow AND t.due_at <= :now)"
).bindparams(bindparam("now", type_=_TIME))


@dataclass(frozen=True, slots=True)
class Claimed:
    """A touch that was claimed: `epoch` is what its holder goes by."""

    id: int
    epoch: int
    flow: str
    step: str
    lane: int
    rank: int
    due_at: datetime


def claim_due(tx: Connection, now: datetime, lease_until: datetime, limit: int) -> list[Claimed]:
    """Queue what is due, `planned -> queued`: service first; the room shared equally by the flows; then by priority and time."""
    found: list[Claimed] = []
    for lane in LANES:
        while len(found) < limit:
            flows = list(tx.execute(_HEADS, {"lane": lane, "now": now}).scalars())
            share = ceil((limit - len(found)) / max(1, len(flows)))
            before = len(found)
            for flow in flows:
                found += _claim(tx, lane, flow, now, lease_until, min(share, limit - len(found)))
            if len(found) == before:
                break  # nothing is left, or others hold it just now
    return sorted(found, key=lambda c: (c.lane, -c.rank, c.due_at, c.id))


def _claim(tx: Connection, lane: int, flow: str, now: datetime, lease_until: datetime, most: int) -> list[Claimed]:
    locked = "FOR UPDATE SKIP LOCKED" if tx.dialect.name == "postgresql" else ""
    statement = text(
        # Materialized: PostgreSQL may run a sub-select in IN several times, and then takes more than the limit.
        "WITH due AS MATERIALIZED (SELECT id FROM touches WHERE state = 'planned' AND lane = :lane AND flow = :flow AND due_at <= :now "
        f"ORDER BY due_at, id LIMIT :most {locked}) "
        "UPDATE touches SET state = 'queued', epoch = epoch + 1, lease_until = :lease "
        "WHERE id IN (SELECT id FROM due) AND state = 'planned' RETURNING id, epoch, flow, step, lane, rank, due_at"
    ).bindparams(bindparam("now", type_=_TIME), bindparam("lease", type_=_TIME))
    rows = tx.execute(statement.columns(due_at=_TIME), {"lane": lane, "flow": flow, "now": now, "lease": lease_until, "most": most})
    return [Claimed(**row._mapping) for row in rows]


def count_queued(tx: Connection) -> int:
    """How many touches are with the broker or in a worker's hands, not yet begun."""
    return int(tx.execute(select(func.count()).select_from(touches).where(_WITH_WORKERS, touches.c.state == "queued")).scalar_one())


def unqueue(tx: Connection, hints: Sequence[tuple[int, int]], *, later: datetime | None = None) -> int:
    """Plan again what was queued under these epochs and never begun, for `later` if that is given; how many."""
    statement = update(touches).where(
        touches.c.id == bindparam("touch"), touches.c.epoch == bindparam("of_epoch"), touches.c.state == "queued"
    )
    if not hints:
        return 0
    values: dict[str, object] = {"state": "planned", "lease_until": None}
    values |= {"due_at": later, "reason": "throttled"} if later is not None else {}
    return tx.execute(statement.values(values), [{"touch": t, "of_epoch": e} for t, e in hints]).rowcount


def due_now(tx: Connection, touch_id: int, reason: str, now: datetime) -> None:
    """A touch that waits for this reason waits no longer."""
    mine = touches.c.id == touch_id, touches.c.state == "planned", touches.c.reason == reason
    tx.execute(update(touches).where(*mine).values(due_at=now))


def users_of_expired(tx: Connection, lease_time: datetime) -> set[int]:
    """Users with a touch whose lease ran out."""
    return set(tx.execute(select(touches.c.user_id).where(_WITH_WORKERS, touches.c.lease_until < lease_time)).scalars())


def rescue(tx: Connection, lease_time: datetime, look_at: datetime) -> tuple[int, list[Touch]]:
    """Touches whose lease ran out: queued ones are planned again, sending ones become unknown. How many, and which."""
    expired = touches.c.lease_until < lease_time
    again = update(touches).where(_WITH_WORKERS, touches.c.state == "queued", expired).values(state="planned", lease_until=None)
    lost = update(touches).where(_WITH_WORKERS, touches.c.state == "sending", expired)
    values = {"state": "unknown", "reason": "lease ran out", "lease_until": None, "look_at": look_at}
    rows = tx.execute(lost.values(values).returning(*BRIEF)).all()
    return tx.execute(again).rowcount, [touch_of(row) for row in rows]


def queued_for_delivery(tx: Connection, hints: Sequence[tuple[int, int]]) -> list[Touch]:
    """The touches of these hints that are still queued under that epoch, in the order of the hints; others are stale."""
    by_id = dict(hints)
    rows = tx.execute(_QUEUED, {"ids": by_id})
    found = {row.id: touch_of(row) for row in rows}
    return [t for i, epoch in hints if (t := found.get(i)) is not None and t.epoch == epoch]


def hold(tx: Connection, listed: Sequence[Touch], state: str) -> list[Touch]:
    """Those that are in this state under the same epoch still; nobody else changes them before the end of the transaction.

    Each with the user it belongs to now: users may have become one since it was read.
    """
    epochs = {t.id: t.epoch for t in listed}
    owner = {r.id: r.user_id for r in tx.execute(_HELD, {"ids": epochs, "state": state}) if epochs[r.id] == r.epoch}
    return [t if t.user_id == owner[t.id] else replace(t, user_id=owner[t.id]) for t in listed if t.id in owner]


def unknown_due(tx: Connection, now: datetime, limit: int) -> list[Touch]:
    """Touches with an unknown outcome that are to be looked at by now, the longest waiting first."""
    statement = select(*BRIEF).where(touches.c.state == "unknown", touches.c.look_at <= now).order_by(touches.c.look_at).limit(limit)
    return [touch_of(row) for row in tx.execute(statement)]


def list_unknown(tx: Connection, limit: int) -> list[Touch]:
    """Touches with an unknown outcome, the oldest intent first."""
    statement = select(*BRIEF).where(touches.c.state == "unknown").order_by(touches.c.intent_at, touches.c.id).limit(limit)
    return [touch_of(row) for row in tx.execute(statement)]


def next_look(tx: Connection) -> datetime | None:
    """When the next unknown outcome is looked at."""
    return tx.execute(select(func.min(touches.c.look_at)).where(touches.c.state == "unknown")).scalar()
