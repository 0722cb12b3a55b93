"""Coupons asked of providers: one row for each touch and benefit, so that a repeat asks under the same key and gets the same coupon."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select, update

from sop_engine.store.benefit_tables import OPEN_ASKED, AskedBenefitRow
from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import GrantRow, TouchRow

asked = table_of(AskedBenefitRow)
grants, touches = table_of(GrantRow), table_of(TouchRow)
OPEN = ("unknown", "issued", "voiding")


def get(tx: Connection, touch_id: int, benefit: str) -> Row[Any] | None:
    """What was asked for a touch."""
    return tx.execute(select(asked).where(asked.c.touch_id == touch_id, asked.c.benefit == benefit)).first()


def by_key(tx: Connection, key: str) -> Row[Any] | None:
    """What was asked under a key."""
    return tx.execute(select(asked).where(asked.c.key == key)).first()


def begin(tx: Connection, *, key: str, touch_id: int, benefit: str, provider: str, at: datetime) -> None:
    """Note, before the call, that it may be made; a repeat is counted."""
    row = {"key": key, "touch_id": touch_id, "benefit": benefit, "provider": provider, "asked_at": at, "look_at": at}
    put_rows(tx, asked, [{**row, "state": "unknown", "reason": "", "code": "", "url": "", "tries": 0}], key=["key"], over=False)
    tx.execute(update(asked).where(asked.c.key == key).values(tries=asked.c.tries + 1))


def answer(tx: Connection, key: str, state: str, **values: Any) -> bool:
    """What the provider said of a call whose answer is not known; False when it is."""
    mine = asked.c.key == key, asked.c.state == "unknown"
    return bool(tx.execute(update(asked).where(*mine).values(state=state, **values)).rowcount)


def note_failure(tx: Connection, key: str, reason: str, look_at: datetime) -> None:
    """There is no answer yet, or none that says anything: looked at again then."""
    tx.execute(update(asked).where(asked.c.key == key, asked.c.state.in_(OPEN)).values(reason=reason, look_at=look_at))


def settle(tx: Connection, now: datetime) -> int:
    """Coupons whose touch has come to an end: kept where it was sent with them, else to be taken back; how many are to be."""
    c = asked.c
    mine = and_(grants.c.touch_id == c.touch_id, grants.c.benefit == c.benefit)
    held = select(grants.c.id).where(mine, grants.c.state.in_(("issued", "redeemed", "expired"))).exists()
    maybe = select(grants.c.id).where(mine, grants.c.state == "reserved").exists()
    over = or_(
        touches.c.state.in_(("sent", "skipped", "cancelled")), and_(touches.c.state == "failed", touches.c.reason != "outcome_unknown")
    )
    ended = select(touches.c.id).where(touches.c.id == c.touch_id, over).exists()
    tx.execute(update(asked).where(OPEN_ASKED, c.state == "issued", held).values(state="kept"))
    lost = OPEN_ASKED, c.state.in_(("unknown", "issued")), ended, ~held, ~maybe
    return tx.execute(update(asked).where(*lost).values(state="voiding", look_at=now)).rowcount


def take_back(tx: Connection, given: Sequence[tuple[int, str]], now: datetime) -> None:
    """Coupons of these (touch, benefit) are to be taken back at their provider."""
    for touch_id, benefit in given:
        mine = asked.c.touch_id == touch_id, asked.c.benefit == benefit, asked.c.state.in_(("issued", "kept"))
        tx.execute(update(asked).where(*mine).values(state="voiding", look_at=now))


def voiding(tx: Connection, now: datetime, limit: int) -> list[Row[Any]]:
    """Coupons that are to be taken back and whose time to be tried has come."""
    c = asked.c
    return list(tx.execute(select(asked).where(OPEN_ASKED, c.state == "voiding", c.look_at <= now).order_by(c.look_at, c.id).limit(limit)))


def voided(tx: Connection, key: str) -> None:
    """The provider has taken it back."""
    tx.execute(update(asked).where(asked.c.key == key, asked.c.state == "voiding").values(state="voided"))


def any_open(tx: Connection) -> bool:
    """Whether any coupon is neither kept nor gone."""
    return tx.execute(select(asked.c.id).where(OPEN_ASKED).limit(1)).first() is not None


def counts(tx: Connection) -> dict[tuple[str, str], int]:
    """How many were asked, by provider and state."""
    c = asked.c
    rows = tx.execute(select(c.provider, c.state, func.count()).group_by(c.provider, c.state).order_by(c.provider, c.state))
    return {(provider, state): int(many) for provider, state, many in rows}
