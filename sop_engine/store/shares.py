"""Remembers who said to have opened whose link, until both are told."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.link_tables import LinkRow, ShareRow
from sop_engine.store.run_tables import TouchRow
from sop_engine.store.tables import UserRow

shares, links, touches, users = (table_of(row) for row in (ShareRow, LinkRow, TouchRow, UserRow))


@dataclass(frozen=True, slots=True)
class Share:
    """Somebody opened a link that was sent to somebody: who, of which message and link."""

    touch_id: int
    opener: str
    name: str
    at: datetime
    owner_id: int
    owner: str
    flow: str
    step: str


def note(tx: Connection, touch_id: int, n: int, opener: str, at: datetime) -> None:
    """Note that a user opened a link; the first time counts."""
    row = {"touch_id": touch_id, "opener": opener, "n": n, "state": "pending", "at": at}
    put_rows(tx, shares, [row], key=("touch_id", "opener"), over=False)


def pending(tx: Connection, limit: int) -> list[Share]:
    """What both are still to be told of, oldest first."""
    c, t = shares.c, touches.c
    listed = select(c.touch_id, c.opener, links.c.name, c.at, t.user_id, users.c.key, t.flow, t.step)
    joined = listed.join(links, (links.c.touch_id == c.touch_id) & (links.c.n == c.n)).join(touches, t.id == c.touch_id)
    rows = tx.execute(joined.join(users, users.c.id == t.user_id).where(c.state == "pending").order_by(c.at).limit(limit))
    return [Share(*row) for row in rows]


def next_pending(tx: Connection) -> datetime | None:
    """When the oldest came that both are still to be told of."""
    return tx.execute(select(func.min(shares.c.at)).where(shares.c.state == "pending")).scalar()


def judge(tx: Connection, told: Iterable[Share], own: Iterable[Share]) -> None:
    """Write which were told of, and which were the user's own."""
    for state, listed in (("told", told), ("nothing", own)):
        for one in listed:
            mine = shares.c.touch_id == one.touch_id, shares.c.opener == one.opener
            tx.execute(update(shares).where(*mine).values(state=state))


def forget(tx: Connection, before: datetime) -> None:
    """Let go of what is older."""
    tx.execute(delete(shares).where(shares.c.at < before))
