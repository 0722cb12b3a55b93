"""What comes in over HTTP: keys that may send, items that were refused, and what is counted of each source. Same rules as tables.py."""

from datetime import datetime

from sqlalchemy import Column, Index, Text
from sqlmodel import Field, SQLModel

from sop_engine.store.columns import PERSONAL, BigKey, instant


class ApiKeyRow(SQLModel, table=True):
    """A key of one source. `id` is its public beginning; of the key itself only the hash is kept. A source outlives its keys."""

    __tablename__ = "api_keys"
    id: str = Field(primary_key=True)
    source: str = Field(index=True)
    scopes: str  # words with a space between: ingest, read, operate
    sha256: str  # of the whole key, hexadecimal
    made_at: datetime = instant()
    made_by: str = ""
    revoked_at: datetime | None = instant(null=True)
    revoked_by: str = ""


class RefusedItemRow(SQLModel, table=True):
    """An item that was not stored, and why; kept for 30 days. `id` is derived from what it holds, so that a repeat is one row."""

    __tablename__ = "refused_items"
    __table_args__ = (Index("ix_refused_items_at", "at"), Index("ix_refused_items_source", "source", "reason", "at"))
    id: str = Field(primary_key=True)
    source: str
    reason: str
    body: str = Field(sa_column=Column(Text, nullable=False, info=PERSONAL))  # at most 32 KB
    at: datetime = instant()


class SourceCountRow(SQLModel, table=True):
    """How often something was seen of a source: `what` is a fixed word, `name` what it is about (a reason, an event, a trait)."""

    __tablename__ = "source_counts"
    source: str = Field(primary_key=True)
    what: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    number: int = Field(default=0, sa_column=Column(BigKey, nullable=False, default=0))
    last_at: datetime = instant()
