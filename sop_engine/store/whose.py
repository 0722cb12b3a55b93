"""Finds whom a report of a provider is about: the message by its key or its number, or the users behind an address."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, or_, select

from sop_engine.store.bulk import among
from sop_engine.store.columns import table_of
from sop_engine.store.dialect import dialect, run
from sop_engine.store.identity_tables import IdentityRow
from sop_engine.store.run_tables import ReceiptRow, TaskRow, TouchRow
from sop_engine.store.safety_tables import AttemptRow

attempts, touches, receipts = table_of(AttemptRow), table_of(TouchRow), table_of(ReceiptRow)
identities, tasks = table_of(IdentityRow), table_of(TaskRow)


@dataclass(frozen=True, slots=True)
class About:
    """The message a report is about. `handed`: it went to the provider as far as is known, so that something can come back about it."""

    touch_id: int
    user_id: int
    flow: str
    step: str
    channel: str
    template: str
    level: str
    address: str
    handed: bool


_ATTEMPT = select(attempts.c.touch_id, touches.c.address).join(touches, touches.c.id == attempts.c.touch_id)


def touch_by_key(tx: Connection, channels: Iterable[str], key: str) -> int | None:
    """The touch this key of one of the channels was made for."""
    mine = _ATTEMPT.where(attempts.c.key == key, attempts.c.channel.in_(list(channels)))
    row = tx.execute(mine.limit(1)).first()
    return None if row is None else int(row.touch_id)


def touch_by_provider(tx: Connection, channels: Iterable[str], provider_id: str, address: str) -> int | None:
    """The touch the channels' provider calls so; where it calls several so, the one to this address."""
    mine = _ATTEMPT.where(attempts.c.provider_id == provider_id, attempts.c.channel.in_(list(channels)))
    if address:
        mine = mine.where(or_(touches.c.address == address, touches.c.address.is_(None)))
    found = {row.touch_id for row in tx.execute(mine.limit(2))}
    return found.pop() if len(found) == 1 else None


def touch_of_channels(tx: Connection, channels: Iterable[str], touch_id: int) -> int | None:
    """The touch, if it went by one of these channels."""
    return tx.execute(select(touches.c.id).where(touches.c.id == touch_id, touches.c.channel.in_(list(channels)))).scalar()


def latest_touch(tx: Connection, channels: Iterable[str] | None, user_ids: Iterable[int]) -> int | None:
    """The last touch that was handed over to one of these users, by one of these channels if any are given."""
    c = touches.c
    mine = select(c.id).where(among(c.user_id), c.intent_at.is_not(None), c.state.in_(("sent", "unknown", "sending")))
    if channels is not None:
        mine = mine.where(c.channel.in_(list(channels)))
    return tx.execute(mine.order_by(c.intent_at.desc(), c.id.desc()).limit(1), {"ids": list(user_ids)}).scalar()


def about(tx: Connection, touch_id: int) -> About | None:
    """What a report needs to know of a touch."""
    c = touches.c
    columns = c.id, c.user_id, c.flow, c.step, c.channel, c.template, c.level, c.address, c.state, c.reason
    row = tx.execute(select(*columns).where(c.id == touch_id)).first()
    if row is None:
        return None
    handed = row.state in ("sent", "unknown", "sending") or (row.state, row.reason) == ("failed", "outcome_unknown")
    return About(row.id, row.user_id, row.flow, row.step, row.channel or "", row.template or "", row.level or "", row.address or "", handed)


def users_at(tx: Connection, attribute: str, value: str, *, identity: bool) -> list[int]:
    """Users whose attribute has this value. Along an index where it is an identity of the project; else every user is read."""
    if identity:
        c = identities.c
        return list(tx.execute(select(c.user_id).where(c.attribute == attribute, c.value == value).order_by(c.user_id)).scalars())
    to = dialect(tx)
    field = to.field("u.attributes", attribute, "text")
    return [row[0] for row in run(tx, f"SELECT u.id FROM users u WHERE {field} = {to.param('value')} ORDER BY u.id", {"value": value})]


@dataclass(frozen=True, slots=True)
class Asked:
    """A task as whoever it was given to sees it."""

    user_id: int
    touch_id: int | None
    text: str
    state: str
    channel: str


def task_of(tx: Connection, key: str) -> Asked | None:
    """The task with this key."""
    c = tasks.c
    row = tx.execute(select(c.user_id, c.touch_id, c.text, c.state, c.channel).where(c.key == key)).first()
    return None if row is None else Asked(row.user_id, row.touch_id, row.text, row.state, row.channel or "")


def receipts_of(tx: Connection, touch_id: int) -> set[str]:
    """The kinds of what came back about a touch."""
    return set(tx.execute(select(receipts.c.kind).where(receipts.c.touch_id == touch_id)).scalars())


def with_receipt(tx: Connection, touch_ids: Iterable[int], kinds: Iterable[str]) -> set[int]:
    """Those of these touches about which any of these kinds came back."""
    c = receipts.c
    return set(tx.execute(select(c.touch_id).where(among(c.touch_id), c.kind.in_(list(kinds))), {"ids": list(touch_ids)}).scalars())


def often(tx: Connection, user_id: int, address: str, kind: str, since: datetime) -> int:
    """How many messages to this address of a user have a receipt of this kind since then."""
    t, r = touches.c, receipts.c
    mine = select(r.touch_id).join(touches, t.id == r.touch_id).where(t.user_id == user_id, t.address == address)
    return len(tx.execute(mine.where(r.kind == kind, r.at >= since)).all())
