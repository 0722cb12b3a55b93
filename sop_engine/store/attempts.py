"""Remembers every call to a provider: stored with the intent, settled with the answer, and only by whoever began it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from sop_engine.store.bulk import add_rows, change_rows
from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import TouchRow
from sop_engine.store.safety_tables import AttemptRow, LateResultRow
from sop_engine.store.tables import UserRow

attempts = table_of(AttemptRow)
late_results = table_of(LateResultRow)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call that is about to be made. `message` is stored where the provider knows a key again."""

    touch_id: int
    user_id: int
    epoch: int
    proof: int
    channel: str
    key: str
    body_hash: str
    turn: int
    switch: int
    due_at: datetime
    began_at: datetime
    message: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a call ended: accepted, not_accepted (proven), refused (for good) or unclear."""

    touch_id: int
    epoch: int
    outcome: str
    reason: str | None = None
    provider_id: str | None = None


def begin(tx: Connection, new: Sequence[Attempt]) -> None:
    """Store what is about to be called."""
    add_rows(tx, attempts, [{f: getattr(one, f) for f in Attempt.__dataclass_fields__} for one in new])


def settle(tx: Connection, settled: Sequence[Settlement], at: datetime) -> None:
    """Store how calls ended."""
    rows = [{**_told(s), "settled_at": at} for s in settled]
    change_rows(tx, attempts, rows, by=("touch_id", "epoch"), states=["open", "unclear"], column="outcome")


def take_back(tx: Connection, touch_id: int, epoch: int, reason: str) -> None:
    """A call that was accepted is known not to have reached anybody."""
    mine = attempts.c.touch_id == touch_id, attempts.c.epoch == epoch, attempts.c.outcome == "accepted"
    tx.execute(update(attempts).where(*mine).values(outcome="refused", reason=reason))


def add_late(tx: Connection, late: Sequence[Settlement], at: datetime) -> None:
    """Keep answers that came too late to be written on the touch."""
    add_rows(tx, late_results, [{**_told(s), "at": at} for s in late])


def _told(s: Settlement) -> dict[str, Any]:
    return {"touch_id": s.touch_id, "epoch": s.epoch, "outcome": s.outcome, "reason": s.reason, "provider_id": s.provider_id}


def are_begun(tx: Connection, new: Mapping[int, tuple[int, str]], at: datetime) -> bool:
    """Whether these calls (by touch: epoch and key) were stored as begun at this moment, together: by this process, in one transaction."""
    c = attempts.c
    rows = tx.execute(select(c.touch_id, c.epoch, c.key).where(c.touch_id.in_(list(new)), c.began_at == at))
    return set(new.items()) <= {(row.touch_id, (row.epoch, row.key)) for row in rows}


def are_settled(tx: Connection, settled: Sequence[Settlement], at: datetime) -> bool:
    """Whether these very answers were stored at this moment: one of them on its call, or as one that came too late, shows them all."""
    told = {(s.touch_id, s.epoch, s.outcome) for s in settled}
    touched = {s.touch_id for s in settled}
    for c, when in ((attempts.c, attempts.c.settled_at), (late_results.c, late_results.c.at)):
        rows = tx.execute(select(c.touch_id, c.epoch, c.outcome).where(c.touch_id.in_(touched), when == at))
        if not told.isdisjoint(tuple(row) for row in rows):
            return True
    return False


def of_touch(tx: Connection, touch_id: int) -> Sequence[Row[Any]]:
    """The attempts of one touch, oldest first."""
    return tx.execute(select(attempts).where(attempts.c.touch_id == touch_id).order_by(attempts.c.id)).all()


def latest_of(tx: Connection, touch_ids: Iterable[int]) -> dict[int, Row[Any]]:
    """The newest attempt of each touch."""
    newest = select(func.max(attempts.c.id)).where(attempts.c.touch_id.in_(list(touch_ids))).group_by(attempts.c.touch_id)
    return {row.touch_id: row for row in tx.execute(select(attempts).where(attempts.c.id.in_(newest)))}


def first_of_key(tx: Connection, key: str) -> datetime:
    """When the first call under this key was made."""
    found: datetime = tx.execute(select(func.min(attempts.c.began_at)).where(attempts.c.key == key)).scalar_one()
    return found


def forget_messages(tx: Connection, before: datetime, most: int = 10_000) -> int:
    """Take the whole messages out of attempts that were settled before; how many, at most so many at a time."""
    c = attempts.c
    old = select(c.id).where(c.began_at < before, c.settled_at.is_not(None), c.message.is_not(None)).limit(most)
    return tx.execute(update(attempts).where(c.id.in_(old)).values(message=None)).rowcount


def touches_by_key(tx: Connection, keys: Sequence[str]) -> dict[str, int]:
    """The touch each key was made for."""
    return {row.key: row.touch_id for row in tx.execute(select(attempts.c.key, attempts.c.touch_id).where(attempts.c.key.in_(keys)))}


def begun_since(tx: Connection, since: datetime) -> Iterable[Row[Any]]:
    """Calls begun since then, each with the purpose of its touch and the zone of its user."""
    c, t, u = attempts.c, table_of(TouchRow).c, table_of(UserRow).c
    columns = select(c.id, c.touch_id, c.channel, c.began_at, t.purpose, u.timezone)
    joined = columns.join(table_of(TouchRow), t.id == c.touch_id).join(table_of(UserRow), u.id == c.user_id)
    return tx.execute(joined.where(c.began_at >= since).order_by(c.id), execution_options={"yield_per": 1000})
