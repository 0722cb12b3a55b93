"""What is known of benefits beyond our own stock: coupons asked of providers, and uses that were reported. Same rules as tables.py."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from sop_engine.store.columns import PERSONAL, Money, instant, key_column, reference

OPEN_ASKED, OPEN_USES = text("state IN ('unknown', 'issued', 'voiding')"), text("state IN ('parked', 'taken')")


class AskedBenefitRow(SQLModel, table=True):
    """A coupon a provider was asked for, before the message's own intent: unknown, then issued or declined; kept once the message is sent.

    What nobody will get any more goes back: voiding, then voided.
    """

    __tablename__ = "asked_benefits"
    __table_args__ = (
        UniqueConstraint("touch_id", "benefit"),
        Index("ix_asked_look", "look_at", sqlite_where=OPEN_ASKED, postgresql_where=OPEN_ASKED),
    )
    id: int | None = key_column()
    key: str = Field(unique=True)  # the id of the call, the same for every repeat
    touch_id: int = reference(null=False)
    benefit: str
    provider: str
    state: str = "unknown"
    reason: str = ""  # why it was declined, or what the last failure was
    code: str = ""
    url: str = ""
    expires_at: datetime | None = instant(null=True)
    asked_at: datetime = instant()
    look_at: datetime = instant()
    tries: int = 0


class RedemptionRow(SQLModel, table=True):
    """A report that a code was used, or that this was taken back; each once by its event.

    parked: it came before what it speaks of, and waits; taken: applied, its event is not recorded yet; accepted; lapsed: waited in vain.
    """

    __tablename__ = "redemptions"
    __table_args__ = (
        Index("ix_redemptions_open", "received_at", sqlite_where=OPEN_USES, postgresql_where=OPEN_USES),
        Index("ix_redemptions_grant", "grant_id", "order_id"),
        Index("ix_redemptions_code", "code"),
    )
    id: int | None = key_column()
    event: str = Field(unique=True)
    kind: str  # redeemed or reversed
    state: str
    code: str
    grant_id: int | None = reference()
    order_id: str = ""
    user_key: str = Field(default="", sa_column_kwargs={"info": PERSONAL})  # who used it, by the till's own word
    amount: Decimal | None = Field(default=None, sa_column=Column(Money))
    currency: str = ""
    at: datetime = instant()
    received_at: datetime = instant()
    flags: str = ""  # by commas: amount, other_user, early
