"""Moves what belongs to a user to the one it became part of, and gives it back: rows with an id, noted row by row."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, literal, select, update

from sop_engine.core.uniting import Coupon
from sop_engine.store.columns import table_of
from sop_engine.store.consent_tables import ConsentRow
from sop_engine.store.dialect import dialect, run
from sop_engine.store.feed_tables import FeedRow
from sop_engine.store.identity_tables import CountedBesideRow, MovedRow
from sop_engine.store.outbox import ESCALATED
from sop_engine.store.run_tables import GrantRow, OutboxRow, RefusedStartRow, RunRow, TaskRow, TouchRow
from sop_engine.store.safety_tables import AttemptRow, SetAsideRow
from sop_engine.store.tables import EventRow

moved = table_of(MovedRow)
runs, touches, grants, attempts, tasks = (table_of(row) for row in (RunRow, TouchRow, GrantRow, AttemptRow, TaskRow))
events, set_aside = table_of(EventRow), table_of(SetAsideRow)
beside = table_of(CountedBesideRow)

TABLES: tuple[Table, ...] = (
    attempts, *(table_of(r) for r in (EventRow, RunRow, TouchRow, GrantRow, OutboxRow, TaskRow, RefusedStartRow, FeedRow, ConsentRow))
)  # fmt: skip
"""Attempts first: they are found by the touches they are of."""

ENDED, CANCELLED, ADOPTED, VOIDED, REPEATS = "ended", "cancelled", "adopted", "voided", "repeats"
"""What a merge did to rows beside moving them; `repeats`: runs of an experiment in which the other user's arm stands."""


def note(tx: Connection, merge_id: int, kind: str, row_ids: Iterable[int]) -> None:
    """Note what a merge did to these rows."""
    rows = [{"merge_id": merge_id, "kind": kind, "row_id": i} for i in row_ids]
    if rows:
        tx.execute(insert(moved), rows)


def noted(tx: Connection, merge_id: int, kind: str) -> list[int]:
    """The rows a merge did this to."""
    mine = select(moved.c.row_id).where(moved.c.merge_id == merge_id, moved.c.kind == kind)
    return list(tx.execute(mine.order_by(moved.c.row_id)).scalars())


def move_rows(tx: Connection, merge_id: int, younger: int, older: int) -> None:
    """Everything of the younger user with an id of its own becomes the older one's."""
    other = runs.alias("other")
    twin = (other.c.user_id == older) & (other.c.flow == runs.c.flow) & (other.c.start_key == runs.c.start_key)
    same = select(other.c.id).where(twin).exists()  # both moved at one midnight
    tx.execute(update(runs).where(runs.c.user_id == younger, same).values(start_key=runs.c.start_key + _mark(younger)))
    for table in TABLES:
        mine = _of_user(table, younger)
        noting = select(literal(merge_id), literal(table.name), table.c.id).where(mine)
        tx.execute(insert(moved).from_select(["merge_id", "kind", "row_id"], noting))
        tx.execute(update(table).where(mine).values(user_id=older))
    tx.execute(delete(set_aside).where(set_aside.c.user_id == younger))
    _count_beside(tx, older, select(beside.c.touch_id).where(beside.c.user_id == younger))


def give_back(tx: Connection, merge_id: int, younger: int) -> None:
    """What was moved belongs to the younger user again, and so does what became of it since: touches, calls and benefits of its runs."""
    for table in TABLES:
        tx.execute(update(table).where(table.c.id.in_(_moved(merge_id, table))).values(user_id=younger))
    mine = runs.c.id.in_(_moved(merge_id, runs))
    tx.execute(update(runs).where(mine).values(start_key=func.replace(runs.c.start_key, _mark(younger), "")))
    of_runs = select(touches.c.id).where(touches.c.run_id.in_(_moved(merge_id, runs)))
    for table in (attempts, grants, tasks):
        tx.execute(update(table).where(table.c.touch_id.in_(of_runs)).values(user_id=younger))
    tx.execute(update(touches).where(touches.c.run_id.in_(_moved(merge_id, runs))).values(user_id=younger))
    first = tasks.alias("first")
    of_theirs = select(literal(ESCALATED) + first.c.key).where(first.c.id.in_(_moved(merge_id, tasks)))
    tx.execute(update(tasks).where(tasks.c.key.in_(of_theirs)).values(user_id=younger))


def _moved(merge_id: int, table: Table) -> Any:
    return select(moved.c.row_id).where(moved.c.merge_id == merge_id, moved.c.kind == table.name)


def count_for_both(tx: Connection, one: int, other: int, since: datetime) -> None:
    """Messages of either user intended since then count in the caps of both."""
    for user, theirs in ((one, other), (other, one)):
        _count_beside(tx, user, select(touches.c.id).where(touches.c.user_id == theirs, touches.c.intent_at >= since))


def _count_beside(tx: Connection, user: int, touch_ids: Any) -> None:
    known = select(beside.c.touch_id).where(beside.c.user_id == user)
    listed = touch_ids.subquery()
    column = next(iter(listed.c))
    fresh = select(literal(user), column).where(column.not_in(known))
    tx.execute(insert(beside).from_select(["user_id", "touch_id"], fresh))


def _of_user(table: Table, user: int) -> Any:
    if table is attempts:  # they have no index by user
        return attempts.c.touch_id.in_(select(touches.c.id).where(touches.c.user_id == user))
    return table.c.user_id == user


def _mark(user: int) -> str:
    return f"~{user}"


def unqueue(tx: Connection, user_ids: Iterable[int]) -> None:
    """What a worker was to look at waits again: a hint that is under way is stale."""
    mine = touches.c.user_id.in_(list(user_ids)), touches.c.state == "queued"
    tx.execute(update(touches).where(*mine).values(state="planned", lease_until=None, epoch=touches.c.epoch + 1))


def plan_again(tx: Connection, touch_ids: Iterable[int], now: datetime) -> None:
    """Touches a merge cancelled are planned again, if their time is still to come: nothing is sent because users are two again."""
    mine = touches.c.id.in_(list(touch_ids)), touches.c.state == "cancelled", touches.c.due_at > now
    still = touches.c.run_id.in_(select(runs.c.id).where(runs.c.state == "open"))
    tx.execute(update(touches).where(*mine, still).values(state="planned", reason=None, done_at=None))


def open_again(tx: Connection, run_ids: Iterable[int]) -> None:
    """Runs a merge ended are open again."""
    mine = runs.c.id.in_(list(run_ids)), runs.c.end_reason == "merged"
    tx.execute(update(runs).where(*mine).values(state="open", end_reason=None, ended_at=None, end_turn=None))


def unused_coupons(tx: Connection, user_ids: Iterable[int], now: datetime) -> list[Coupon]:
    """Issued benefits of these users that may still be used."""
    c = grants.c
    valid = (c.expires_at.is_(None)) | (c.expires_at > now)
    rows = tx.execute(select(c.id, c.user_id, c.benefit, c.expires_at).where(c.user_id.in_(list(user_ids)), c.state == "issued", valid))
    return [Coupon(*row) for row in rows]


def set_grants(tx: Connection, grant_ids: Iterable[int], old: str, new: str) -> None:
    """Benefits in one state come into another."""
    statement = update(grants).where(grants.c.id == bindparam("grant"), grants.c.state == old).values(state=new)
    rows = [{"grant": i} for i in grant_ids]
    if rows:
        tx.execute(statement, rows)


def refs_of(tx: Connection, user_ids: Iterable[int]) -> set[tuple[int, str]]:
    """(user, reference) of the events of these users that have one: what may tie an order and its refund."""
    c = events.c
    rows = tx.execute(select(c.user_id, c.ref).where(c.user_id.in_(list(user_ids)), c.ref.is_not(None)).distinct())
    return {(row.user_id, row.ref) for row in rows}


def events_since(tx: Connection, user_id: int, since: datetime) -> list[dict[str, Any]]:
    """Events of a user that count and happened since then, oldest first."""
    c = events.c
    rows = tx.execute(select(events).where(c.user_id == user_id, c.at >= since, c.counted).order_by(c.at, c.message_id))
    return [dict(row._mapping) for row in rows]


def forget_values(tx: Connection, user_id: int) -> None:
    """The stored metric values of a user who is none any more."""
    to = dialect(tx)
    run(tx, f"DELETE FROM user_metrics WHERE user_id = {to.param('user')}", {"user": user_id})
