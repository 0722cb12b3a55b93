"""What comes back from providers: facts that were reported, the requests that brought them, how far was polled. Same rules as tables.py."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from sop_engine.store.columns import PERSONAL, instant, json_column, key_column, reference

OPEN = text("state IN ('waiting', 'parked')")


class InboxRow(SQLModel, table=True):
    """One fact a provider reported, once for ever by its own key: waiting, parked, applied or dropped."""

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("channel", "event_key"),
        Index("ix_inbox_open", "look_at", sqlite_where=OPEN, postgresql_where=OPEN),
        Index("ix_inbox_received", "received_at"),
    )
    id: int | None = key_column()
    channel: str
    event_key: str
    kind: str
    at: datetime = instant()  # when it happened, as the provider says
    received_at: datetime = instant()
    state: str = "waiting"
    note: str = ""  # what became of it, or why not
    tries: int = 0
    look_at: datetime | None = instant(null=True)
    done_at: datetime | None = instant(null=True)
    touch_id: int | None = reference(index=True)  # the message it was about, once that is known
    request_id: int | None = reference()
    fact: dict[str, Any] | None = json_column(personal=True)


class InboxRequestRow(SQLModel, table=True):
    """A request as it came, its first 64 KB: kept while its facts are, so that one can look again."""

    __tablename__ = "inbox_requests"
    __table_args__ = (Index("ix_inbox_requests_at", "at"),)
    id: int | None = key_column()
    channel: str
    at: datetime = instant()
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False, info=PERSONAL))


class PollRow(SQLModel, table=True):
    """How far the messages of a channel were asked after for the first, second … time: up to this call."""

    __tablename__ = "polls"
    channel: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    until: datetime = instant()
    attempt_id: int = reference(null=False)
