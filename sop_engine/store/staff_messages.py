"""Messages in the hands of colleagues: which wait, whom they are for, and how many a colleague and a customer had."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select, update

from sop_engine.core.wecom import WecomPair
from sop_engine.store.bulk import add_rows, put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import ReceiptRow, RunRow, TouchRow
from sop_engine.store.wechat_tables import FullCapRow, StaffMessageRow

staff_messages, full_caps = table_of(StaffMessageRow), table_of(FullCapRow)
touches, runs, receipts = table_of(TouchRow), table_of(RunRow), table_of(ReceiptRow)

WAITING = ("awaiting", "left_with_staff")
COUNTED = (*WAITING, "delivered")
LONGEST = timedelta(days=14)  # what lies with a colleague longer is looked at no more


@dataclass(frozen=True, slots=True)
class StaffMessage:
    """One message, with the key of its call and whether its run is still open."""

    id: int
    touch_id: int
    channel: str
    corp: str
    call_id: str
    customer: str
    staff: str
    state: str
    created_at: datetime
    look_at: datetime
    reminded_at: datetime | None
    run_open: bool

    @property
    def pair(self) -> WecomPair:
        """Whose message it is."""
        return WecomPair(self.customer, self.staff)


_FIELDS = [staff_messages.c[f] for f in StaffMessage.__dataclass_fields__ if f != "run_open"]
_GOES_ON = or_(runs.c.state == "open", runs.c.end_reason == "finished")
_ALL = (
    select(*_FIELDS, _GOES_ON.label("run_open"))
    .join(touches, touches.c.id == staff_messages.c.touch_id)
    .join(runs, runs.c.id == touches.c.run_id)
)


def _message(row: Any) -> StaffMessage:
    return StaffMessage(**row._mapping)


def channels_of(tx: Connection, touch_ids: Iterable[int]) -> dict[int, str]:
    """The channel of the last intent of each touch."""
    found = tx.execute(select(touches.c.id, touches.c.channel).where(touches.c.id.in_(list(touch_ids))))
    return {row.id: row.channel for row in found if row.channel}


def add(tx: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Messages wait from now on; those that wait already are left as they are."""
    known = select(staff_messages.c.touch_id, staff_messages.c.call_id).where(staff_messages.c.touch_id.in_([r["touch_id"] for r in rows]))
    seen = {tuple(row) for row in tx.execute(known)}
    add_rows(tx, staff_messages, [row for row in rows if (row["touch_id"], row["call_id"]) not in seen])


def of_touch(tx: Connection, touch_id: int) -> StaffMessage | None:
    """The message of a touch that waits; None when none does."""
    c = staff_messages.c
    row = tx.execute(_ALL.where(c.touch_id == touch_id, c.state.in_(WAITING)).order_by(c.id.desc()).limit(1)).first()
    return None if row is None else _message(row)


def ends_of(tx: Connection, touch_id: int, channel: str) -> set[str]:
    """How earlier messages of a touch on a channel ended."""
    c = staff_messages.c
    return set(tx.execute(select(c.state).where(c.touch_id == touch_id, c.channel == channel)).scalars())


def due(tx: Connection, now: datetime, most: int) -> list[tuple[str, str]]:
    """(channel, call) of messages somebody has to look at: their time has come, or a run of theirs was ended."""
    c = staff_messages.c
    came = select(receipts.c.touch_id).where(receipts.c.touch_id == c.touch_id, receipts.c.kind == "delivered").exists()
    looked = or_(c.look_at <= now, ~_GOES_ON)
    statement = select(c.channel, c.call_id).join(touches, touches.c.id == c.touch_id).join(runs, runs.c.id == touches.c.run_id)
    statement = statement.where(c.state == "awaiting", c.created_at > now - LONGEST, looked, ~came)
    return [tuple(row) for row in tx.execute(statement.distinct().order_by(c.call_id).limit(most))]


def of_call(tx: Connection, channel: str, call_id: str) -> list[StaffMessage]:
    """The messages of one call that wait and were not delivered."""
    c = staff_messages.c
    came = select(receipts.c.touch_id).where(receipts.c.touch_id == c.touch_id, receipts.c.kind == "delivered").exists()
    mine = and_(c.channel == channel, c.call_id == call_id, c.state.in_(WAITING), ~came)
    return [_message(row) for row in tx.execute(_ALL.where(mine).order_by(c.id))]


def settle(tx: Connection, ids: Iterable[int], state: str, now: datetime) -> None:
    """How messages ended, or that they are left with the colleague."""
    mine = staff_messages.c.id.in_(list(ids)), staff_messages.c.state.in_(WAITING)
    tx.execute(update(staff_messages).where(*mine).values(state=state, settled_at=now))


def look_again(tx: Connection, ids: Iterable[int], at: datetime, *, reminded_at: datetime | None = None) -> None:
    """They are looked at again at this time; `reminded_at`: the colleague has just been reminded."""
    values = {"look_at": at} | ({"reminded_at": reminded_at} if reminded_at is not None else {})
    tx.execute(update(staff_messages).where(staff_messages.c.id.in_(list(ids))).values(values))


def next_look(tx: Connection) -> datetime | None:
    """When the next waiting message is looked at."""
    return tx.execute(select(func.min(staff_messages.c.look_at)).where(staff_messages.c.state == "awaiting")).scalar()


def calls_today(tx: Connection, corp: str, staff: str, day: int) -> set[str]:
    """The tasks a colleague was given on a local day."""
    c = staff_messages.c
    return set(tx.execute(select(c.call_id).where(c.corp == corp, c.staff == staff, c.day == day).distinct()).scalars())


def count_for(tx: Connection, corp: str, customer: str, first_day: int) -> int:
    """How many messages that may still arrive, or did, a customer had since a local day."""
    c = staff_messages.c
    mine = c.corp == corp, c.customer == customer, c.day >= first_day, c.state.in_(COUNTED)
    return int(tx.execute(select(func.count()).select_from(staff_messages).where(*mine)).scalar_one())


def fill_cap(tx: Connection, corp: str, customer: str, until_day: int) -> None:
    """The provider lets no further message through before that day."""
    put_rows(tx, full_caps, [{"corp": corp, "customer": customer, "until_day": until_day}], key=["corp", "customer"])


def full_until(tx: Connection, corp: str, customer: str) -> int:
    """The first local day on which the customer may get another message, as the provider said; 0 when it never did."""
    mine = full_caps.c.corp == corp, full_caps.c.customer == customer
    return tx.execute(select(full_caps.c.until_day).where(*mine)).scalar() or 0
