"""Refusals, and tasks that hold a user's flows."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, or_, select, update

from sop_engine.store.bulk import among
from sop_engine.store.columns import table_of
from sop_engine.store.outbox import ESCALATED
from sop_engine.store.people import take_turns
from sop_engine.store.run_tables import OptOutRow, TaskRow

opt_outs = table_of(OptOutRow)
tasks = table_of(TaskRow)


def opt_outs_of(tx: Connection, user_ids: Sequence[int]) -> dict[int, frozenset[str]]:
    """By user: channels refused, `*` for all marketing."""
    found: dict[int, set[str]] = {}
    for row in tx.execute(select(opt_outs.c.user_id, opt_outs.c.channel).where(among(opt_outs.c.user_id)), {"ids": user_ids}):
        found.setdefault(row.user_id, set()).add(row.channel)
    return {user: frozenset(channels) for user, channels in found.items()}


def add_opt_out(tx: Connection, user_id: int, channel: str, now: datetime, source: str) -> bool:
    """Record a refusal, under the user's next turn; False when it stands already."""
    if channel in opt_outs_of(tx, [user_id]).get(user_id, ()):
        return False
    turn = take_turns(tx, [user_id])[user_id]
    tx.execute(insert(opt_outs).values(user_id=user_id, channel=channel, at=now, source=source, turn=turn))
    return True


def users_handed_off(tx: Connection, user_ids: Sequence[int]) -> frozenset[int]:
    """Users with an open hand-off to a person."""
    mine = select(tasks.c.user_id).where(among(tasks.c.user_id), tasks.c.state == "open", tasks.c.key.startswith("handoff:"))
    return frozenset(tx.execute(mine, {"ids": user_ids}).scalars())


def close_tasks(tx: Connection, user_id: int, state: str, now: datetime, *, touch_id: int | None = None) -> int:
    """Open tasks of a user (of one touch, or the hand-offs), and those that escalate them, end; how many."""
    mine = update(tasks).where(tasks.c.user_id == user_id, tasks.c.state == "open")
    handed_off = or_(tasks.c.key.startswith("handoff:"), tasks.c.key.startswith(f"{ESCALATED}handoff:"))
    which = tasks.c.touch_id == touch_id if touch_id is not None else handed_off
    return tx.execute(mine.where(which).values(state=state, done_at=now)).rowcount
