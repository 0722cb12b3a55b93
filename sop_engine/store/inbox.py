"""Remembers what providers reported: each fact once by its key, until it is applied; and how far messages were asked after."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert as insert_pg
from sqlalchemy.dialects.sqlite import insert as insert_lite

from sop_engine.store.columns import table_of
from sop_engine.store.inbox_tables import InboxRequestRow, InboxRow, PollRow
from sop_engine.store.run_tables import ReceiptRow, TouchRow
from sop_engine.store.safety_tables import AttemptRow

inbox, requests, polls = table_of(InboxRow), table_of(InboxRequestRow), table_of(PollRow)
attempts, touches, receipts = table_of(AttemptRow), table_of(TouchRow), table_of(ReceiptRow)
MOST_KEPT = 64 * 1024  # bytes of a request
LAST = 2**62  # larger than the id of any call
_OPEN = text("inbox.state IN ('waiting', 'parked')")  # word for word as its index says it, or SQLite does not use that


@dataclass(frozen=True, slots=True)
class Waiting:
    """A fact that is not applied yet; `fact` is plain JSON."""

    id: int
    channel: str
    received_at: datetime
    tries: int
    fact: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reported:
    """A fact as it is stored: its own key within the channel, its kind, when it happened, and all of it as plain JSON."""

    key: str
    kind: str
    at: datetime
    fact: Mapping[str, Any]


def add(tx: Connection, channel: str, listed: Sequence[Reported], now: datetime, *, body: bytes = b"") -> list[int]:
    """Store facts that are new, and the request that brought them if any is; ids of the new ones."""
    put = insert_pg(inbox) if tx.dialect.name == "postgresql" else insert_lite(inbox)
    statement = put.on_conflict_do_nothing(index_elements=["channel", "event_key"]).returning(inbox.c.id)
    same = {"channel": channel, "received_at": now, "look_at": now, "state": "waiting", "note": "", "tries": 0}
    new: list[int] = []
    for one in listed:
        row = {**same, "event_key": one.key, "kind": one.kind, "at": one.at, "fact": dict(one.fact)}
        new += tx.execute(statement, row).scalars().all()
    if new and body:
        kept = insert(requests).values(channel=channel, at=now, body=body[:MOST_KEPT]).returning(requests.c.id)
        tx.execute(update(inbox).where(inbox.c.id.in_(new)).values(request_id=tx.execute(kept).scalar_one()))
    return new


def take_due(tx: Connection, now: datetime, most: int) -> list[Waiting]:
    """Facts whose turn it is, the oldest first, held until the end of the transaction; those another worker has are left out."""
    c = inbox.c
    columns = c.id, c.channel, c.received_at, c.tries, c.fact
    due = select(*columns).where(_OPEN, c.look_at <= now).order_by(c.look_at, c.id).limit(most).with_for_update(skip_locked=True)
    return [Waiting(row.id, row.channel, row.received_at, row.tries, row.fact or {}) for row in tx.execute(due)]


def has_due(tx: Connection, now: datetime) -> bool:
    """Whether any fact's turn has come."""
    return tx.execute(select(inbox.c.id).where(_OPEN, inbox.c.look_at <= now).limit(1)).first() is not None


def done(tx: Connection, listed: Sequence[tuple[int, str, str, int | None]], now: datetime) -> None:
    """These (fact, applied or dropped, what became of it, the touch it was about) are over."""
    statement = update(inbox).where(inbox.c.id == bindparam("row"))
    values: dict[str, Any] = {
        "state": bindparam("to"),
        "note": bindparam("said"),
        "touch_id": bindparam("about"),
        "look_at": None,
        "done_at": now,
    }
    rows = [{"row": row, "to": state, "said": note, "about": touch} for row, state, note, touch in listed]
    if rows:
        tx.execute(statement.values(values), rows)


def park(tx: Connection, row_id: int, note: str, look_at: datetime) -> None:
    """Nobody knows yet what this fact is about: it is looked at again then."""
    later = {"state": "parked", "note": note, "look_at": look_at, "tries": inbox.c.tries + 1}
    tx.execute(update(inbox).where(inbox.c.id == row_id).values(later))


def forget(tx: Connection, before: datetime, most: int = 10_000) -> int:
    """Delete what was received before and is over, and the requests of that time; how many facts, at most so many at a time."""
    old = select(inbox.c.id).where(inbox.c.received_at < before, inbox.c.state.in_(("applied", "dropped"))).limit(most)
    gone = tx.execute(delete(inbox).where(inbox.c.id.in_(old))).rowcount
    requested = select(requests.c.id).where(requests.c.at < before).limit(most)
    tx.execute(delete(requests).where(requests.c.id.in_(requested)))
    return gone


def counts(tx: Connection, *, channel: str | None = None) -> dict[str, int]:
    """How many facts are in each state."""
    statement = select(inbox.c.state, func.count()).group_by(inbox.c.state)
    if channel is not None:
        statement = statement.where(inbox.c.channel == channel)
    return {state: int(many) for state, many in tx.execute(statement)}


@dataclass(frozen=True, slots=True)
class Sent:
    """A message a channel took, as it is asked after: its call, when the first under its key began, and what the provider called it."""

    attempt_id: int
    touch_id: int
    key: str
    began_at: datetime
    provider_id: str
    address: str
    body: str


def sent_between(tx: Connection, channel: str, span: tuple[datetime, datetime], after: int, most: int, over: Iterable[str]) -> list[Sent]:
    """Messages whose call began from one moment to another and was accepted, in order, after the call with the id `after` at the first;
    those left out of which a receipt of the kinds `over` is known."""
    a, t = attempts.c, touches.c
    known = select(receipts.c.touch_id).where(receipts.c.touch_id == a.touch_id, receipts.c.kind.in_(list(over))).exists()
    columns = a.id, a.touch_id, a.key, a.began_at, a.provider_id, t.address, t.body
    statement = select(*columns).join(touches, t.id == a.touch_id).where(a.channel == channel, a.outcome == "accepted", t.state == "sent")
    statement = statement.where(a.began_at >= span[0], a.began_at <= span[1], ~known)
    statement = statement.where(tuple_(a.began_at, a.id) > tuple_(bindparam("first", span[0], a.began_at.type), after))
    rows = tx.execute(statement.order_by(a.began_at, a.id).limit(most))
    return [Sent(r.id, r.touch_id, r.key, r.began_at, r.provider_id or "", r.address or "", r.body or "") for r in rows]


def polled(tx: Connection, channel: str) -> dict[int, tuple[datetime, int]]:
    """By number: up to which call the messages of a channel were asked after."""
    rows = tx.execute(select(polls).where(polls.c.channel == channel))
    return {row.number: (row.until, row.attempt_id) for row in rows}


def set_polled(tx: Connection, channel: str, number: int, until: datetime, attempt_id: int) -> None:
    """Messages were asked after for this time up to this call."""
    put = insert_pg(polls) if tx.dialect.name == "postgresql" else insert_lite(polls)
    values = {"until": until, "attempt_id": attempt_id}
    statement = put.values(channel=channel, number=number, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["channel", "number"], set_=values))


def silent(tx: Connection, touch_ids: Iterable[int]) -> list[int]:
    """Those of these touches about which nothing came back but that they were taken."""
    ids = list(touch_ids)
    said = select(receipts.c.touch_id).where(receipts.c.touch_id.in_(ids), receipts.c.kind != "accepted")
    heard = set(tx.execute(said).scalars())
    return [one for one in ids if one not in heard]


def list_reports(tx: Connection, *, state: str | None, limit: int) -> list[dict[str, Any]]:
    """Facts in a state (None: in any), the newest first, without what they say of a person."""
    c = inbox.c
    listed = select(c.id, c.channel, c.kind, c.received_at, c.state, c.note, c.touch_id, c.tries).order_by(c.id.desc()).limit(limit)
    return [dict(row._mapping) for row in tx.execute(listed if state is None else listed.where(c.state == state))]


def wait_again(tx: Connection, row_id: int, now: datetime) -> bool:
    """A fact that was dropped or is parked is taken as if it came now; False when there is no such one."""
    c = inbox.c
    again = {"state": "waiting", "note": "", "tries": 0, "received_at": now, "look_at": now, "done_at": None}
    return tx.execute(update(inbox).where(c.id == row_id, c.state.in_(("dropped", "parked"))).values(again)).rowcount == 1


def state_of(tx: Connection, row_id: int) -> str:
    """The state a fact is in."""
    return str(tx.execute(select(inbox.c.state).where(inbox.c.id == row_id)).scalar_one())
