"""Says in one question, along partial indexes, whether anything about benefits is to be done."""

from sqlalchemy import Connection, or_, select

from sop_engine.store.asked_benefits import OPEN, asked
from sop_engine.store.grants import grants
from sop_engine.store.redemptions import redemptions

_OVER = select(grants.c.id).where(grants.c.tied.is_not(None), grants.c.state.in_(("expired", "voided"))).exists()
_TOLD = select(redemptions.c.id).where(redemptions.c.state.in_(("parked", "taken"))).exists()
_ASKED = select(asked.c.id).where(asked.c.state.in_(OPEN)).exists()


def restless(tx: Connection) -> bool:
    """Whether a benefit that is over still stands outside, a report waits, or a coupon is neither kept nor gone."""
    return bool(tx.execute(select(or_(_OVER, _TOLD, _ASKED))).scalar_one())
