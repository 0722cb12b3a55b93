"""What people agreed to and refused, and addresses that are never written to. Same rules as tables.py."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from sop_engine.store.columns import PERSONAL, instant, key_column, user_column


class ConsentRow(SQLModel, table=True):
    """One line of the ledger: append-only. `opt_outs` holds the refusals that stand by it."""

    __tablename__ = "consents"
    __table_args__ = (Index("ix_consents_user", "user_id", "at"),)
    id: int | None = key_column()
    user_id: int = user_column()
    channel: str = "*"
    topic: str = "*"  # a content type, marketing, or *
    state: str  # pending, granted or withdrawn
    at: datetime = instant()
    source: str = ""  # an event's source, link, page, command, import, merge …
    wording: str = ""  # what the person read when they said it
    evidence: str = Field(default="", sa_column_kwargs={"info": PERSONAL})  # a form, a ticket, a call: where it can be shown
    turn: int | None = None


class SuppressionRow(SQLModel, table=True):
    """An address that is not written to, by its keyed hash: it belongs to no user, and outlives every one of them."""

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("address_hmac", "channel", "scope", "reason", "pair"), Index("ix_suppressions_at", "at"))
    id: int | None = key_column()
    address_hmac: str
    channel: str = "*"
    scope: str = "marketing"  # marketing or all
    reason: str
    pair: str = ""  # a colleague's id, where only these two are not connected
    at: datetime = instant()
    until: datetime | None = instant(null=True)
