"""Says in one question, along partial indexes, whether anything about benefits is to be done."""

from sqlalchemy import Connection, or_, select

from sop_engine.store.asked_benefits import asked
from sop_engine.store.benefit_tables import OPEN_ASKED, OPEN_USES
from sop_engine.store.grants import grants
from sop_engine.store.redemptions import redemptions

_OVER = select(grants.c.id).where(grants.c.tied.is_not(None), grants.c.state.in_(("expired", "voided"))).exists()
_TOLD = select(redemptions.c.id).where(OPEN_USES).exists()
_ASKED = select(asked.c.id).where(OPEN_ASKED).exists()


def restless(tx: Connection) -> bool:
    """Whether a benefit that is over still stands outside, a report waits, or a coupon is neither kept nor gone."""
    return bool(tx.execute(select(or_(_OVER, _TOLD, _ASKED))).scalar_one())
