"""Keeps the messages that tell colleagues of alerts and reports: planned once under their key, handed over once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.report_tables import NoticeRow

notices = table_of(NoticeRow)
MOST = 100  # looked at together


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to colleagues. `look_at`: when it is tried, or, of one that is being sent, when its holder has had long enough."""

    key: str
    kind: str
    name: str
    last_day: int
    template: str
    channel: str
    text: str
    look_at: datetime
    at: datetime
    subject: str = ""
    state: str = "planned"
    tries: int = 0
    reason: str = ""
    done_at: datetime | None = None


def plan(tx: Connection, notice: Notice) -> None:
    """Plan it, once per key."""
    put_rows(tx, notices, [_row(notice)], key=("key",), over=False)


def _row(notice: Notice) -> Mapping[str, Any]:
    return {name: getattr(notice, name) for name in Notice.__dataclass_fields__}


def due(tx: Connection, now: datetime) -> list[Notice]:
    """What is planned and due, and what a holder began and never settled; the earliest first."""
    c = notices.c
    statement = select(notices).where(c.state.in_(("planned", "sending")), c.look_at <= now).order_by(c.look_at, c.key).limit(MOST)
    return [Notice(**row._mapping) for row in tx.execute(statement)]


def take(tx: Connection, notice: Notice, until: datetime) -> bool:
    """Begin to send it, unless another process was first."""
    c = notices.c
    mine = (c.key == notice.key) & (c.state == notice.state) & (c.tries == notice.tries) & (c.look_at == notice.look_at)
    begun = update(notices).where(mine).values(state="sending", tries=notice.tries + 1, look_at=until)
    return tx.execute(begun).rowcount > 0


def settle(tx: Connection, key: str, state: str, *, reason: str, look_at: datetime, now: datetime) -> None:
    """What came of it: planned again for `look_at`, or sent, failed or unknown."""
    done = None if state == "planned" else now
    tx.execute(update(notices).where(notices.c.key == key).values(state=state, reason=reason, look_at=look_at, done_at=done))


def states(tx: Connection, kind: str) -> dict[tuple[str, int], str]:
    """By name and last day: what became of the messages of a kind."""
    c = notices.c
    return {(row.name, row.last_day): row.state for row in tx.execute(select(c.name, c.last_day, c.state).where(c.kind == kind))}
