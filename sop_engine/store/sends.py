"""Counts what was sent by step, channel and five minutes, so that the watch can compare today with the days before."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select

from sop_engine.store.attempts import attempts
from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import GrantRow
from sop_engine.store.runs import runs
from sop_engine.store.safety_tables import FAILED, SendCountRow
from sop_engine.store.tables import EventRow, MoveRow
from sop_engine.store.touches import touches

counts = table_of(SendCountRow)
grants = table_of(GrantRow)
moves = table_of(MoveRow)
events = table_of(EventRow)

SLOT = timedelta(minutes=5)
KEPT = timedelta(days=15)
COUNTING = 0x736F75  # the number of the lock
OWN_STARTS = ("apply", "import")  # causes of moves that start nothing

_BEGAN = (attempts.c.began_at >= bindparam("begin"), attempts.c.began_at < bindparam("end"), attempts.c.outcome != "not_accepted")
_COUNTED = (
    select(touches.c.flow, touches.c.step, attempts.c.channel, func.count().label("sends"))
    .join_from(attempts, touches, touches.c.id == attempts.c.touch_id)
    .where(*_BEGAN)
    .group_by(touches.c.flow, touches.c.step, attempts.c.channel)
)


def slot_of(at: datetime) -> datetime:
    """The beginning of the five minutes a moment belongs to."""
    return at - timedelta(minutes=at.minute % 5, seconds=at.second, microseconds=at.microsecond)


def lock(tx: Connection) -> None:
    """Nobody else counts until the end of the transaction: two who count the same five minutes would write the same row."""
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(COUNTING)))


def count_slot(tx: Connection, slot: datetime) -> None:
    """Count, or count anew, the sends that began in these five minutes."""
    tx.execute(delete(counts).where(counts.c.slot == slot))
    rows = tx.execute(_COUNTED, {"begin": slot, "end": slot + SLOT}).all()
    if rows:
        tx.execute(insert(counts), [{"flow": r[0], "step": r[1], "channel": r[2], "slot": slot, "sends": r[3]} for r in rows])


def forget_before(tx: Connection, at: datetime) -> None:
    """Forget the counts of before then."""
    tx.execute(delete(counts).where(counts.c.slot < at))


def by_step(tx: Connection, since: datetime) -> Sequence[Any]:
    """(flow, step, sends) since then."""
    c = counts.c
    statement: Select[Any] = select(c.flow, c.step, func.sum(c.sends).label("sends"))
    return tx.execute(statement.where(c.slot >= since).group_by(c.flow, c.step)).all()


def by_channel(tx: Connection, since: datetime) -> Sequence[Any]:
    """(flow, channel, sends) since then."""
    c = counts.c
    statement: Select[Any] = select(c.flow, c.channel, func.sum(c.sends).label("sends"))
    return tx.execute(statement.where(c.slot >= since).group_by(c.flow, c.channel)).all()


def slots_of(tx: Connection, flows: Sequence[str], since: datetime, *, step: str | None = None) -> Sequence[Any]:
    """(slot, sends) of these flows, or of one step, since then."""
    c = counts.c
    statement: Select[Any] = select(c.slot, func.sum(c.sends).label("sends")).where(c.flow.in_(flows), c.slot >= since).group_by(c.slot)
    return tx.execute(statement if step is None else statement.where(c.step == step)).all()


def failed_by(tx: Connection, since: datetime) -> Sequence[Row[Any]]:
    """(outcome, flow, channel, failed) of the calls since then that are `unclear` or were `refused`.

    A call whose worker died is none of them: that says nothing about the playbook or the provider.
    """
    alive = func.coalesce(attempts.c.reason, "") != "lease ran out"
    counted: Select[Any] = select(attempts.c.outcome, touches.c.flow, attempts.c.channel, func.count().label("failed"))
    mine = counted.join_from(attempts, touches, touches.c.id == attempts.c.touch_id).where(attempts.c.began_at >= since, FAILED, alive)
    return tx.execute(mine.group_by(attempts.c.outcome, touches.c.flow, attempts.c.channel)).all()


def unwritten_by(tx: Connection, since: datetime) -> Sequence[Row[Any]]:
    """(flow, failed) of the touches since then whose text could not be written."""
    c = touches.c
    mine = c.state == "skipped", c.reason == "render", c.done_at >= since
    return tx.execute(select(c.flow, func.count().label("failed")).where(*mine).group_by(c.flow)).all()


def held_at_ceiling(tx: Connection, since: datetime, until: datetime) -> Sequence[Row[Any]]:
    """(flow, users) of what waits because its user has had as many messages as anybody gets on a day, and is looked at in this time."""
    c = touches.c
    mine = c.state == "planned", c.reason == "ceiling", c.due_at > since, c.due_at <= until
    return tx.execute(select(c.flow, func.count(c.user_id.distinct()).label("users")).where(*mine).group_by(c.flow)).all()


def given_since(tx: Connection, benefits: Sequence[str], day: int, since: datetime) -> Sequence[Row[Any]]:
    """(benefit, pool, flow, given, cost) of what was given since a moment of this local day or the one before."""
    c = grants.c
    mine = c.benefit.in_(benefits), c.given_day >= day - 1, c.given_at >= since, c.state != "released"
    statement = select(c.benefit, c.pool, c.flow, func.count().label("given"), func.sum(c.cost).label("cost")).where(*mine)
    return tx.execute(statement.group_by(c.benefit, c.pool, c.flow)).all()


def started_days(tx: Connection, flow: str, since_day: int, before_day: int) -> list[int]:
    """How many runs of a flow started on each of these local days on which any did."""
    c = runs.c
    mine = c.flow == flow, c.started_day >= since_day, c.started_day < before_day
    return list(tx.execute(select(func.count()).where(*mine).group_by(c.started_day)).scalars())


def open_before(tx: Connection, flow: str, before_day: int | None = None) -> int:
    """Open runs of a flow, all or those that started before a local day."""
    c = runs.c
    mine = select(func.count()).where(c.flow == flow, c.state == "open")
    return int(tx.execute(mine if before_day is None else mine.where(c.started_day < before_day)).scalar_one())


def entered_days(tx: Connection, model: str, level: str | None, since_day: int, before_day: int) -> list[int]:
    """How many users came into a level on each of these local days on which any did."""
    c = moves.c
    mine = c.model == model, c.new == level, c.day >= since_day, c.day < before_day, c.cause.not_in(OWN_STARTS)
    return list(tx.execute(select(func.count()).where(*mine).group_by(c.day)).scalars())


def happened_days(tx: Connection, kinds: Sequence[str], since_day: int, before_day: int) -> list[int]:
    """How many users did one of these on each of these local days on which any did."""
    c = events.c
    mine = c.kind.in_(kinds), c.day >= since_day, c.day < before_day
    return list(tx.execute(select(func.count(c.user_id.distinct())).where(*mine).group_by(c.day)).scalars())
