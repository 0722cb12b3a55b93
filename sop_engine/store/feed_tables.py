"""The table of what other systems are told. Same rules as tables.py."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, text
from sqlmodel import Field, SQLModel

from sop_engine.store.columns import Json, instant, key_column, user_column

WAITING = text("state = 'waiting'")


class FeedRow(SQLModel, table=True):
    """One thing to tell one system, written in the transaction in which it happened. waiting -> taken, refused or given_up.

    A user's entries go in the order of their ids.
    """

    __tablename__ = "feed"
    __table_args__ = (
        Index("ix_feed_user", "feed", "user_id", "id", sqlite_where=WAITING, postgresql_where=WAITING),
        Index("ix_feed_due", "feed", "due_at", "id", sqlite_where=WAITING, postgresql_where=WAITING),
        Index("ix_feed_done", "done_at"),
    )
    id: int | None = key_column()
    feed: str
    user_id: int = user_column(index=True)
    kind: str
    at: datetime = instant()
    body: dict[str, Any] = Field(default_factory=dict, sa_column=Column(Json, nullable=False))
    state: str = "waiting"
    tries: int = 0
    due_at: datetime = instant()
    error: str = ""
    done_at: datetime | None = instant(null=True)
