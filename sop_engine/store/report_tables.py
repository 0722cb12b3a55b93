"""What alerts found and which reports were made, and the messages that tell colleagues. Same rules as tables.py."""

from datetime import datetime

from sqlalchemy import Column, Index, Text
from sqlmodel import Field, SQLModel

from sop_engine.store.columns import instant


class AlertPeriodRow(SQLModel, table=True):
    """One alert asked about one closed period: what it saw, what was usual, and whether it rang. Written once."""

    __tablename__ = "alert_periods"
    name: str = Field(primary_key=True)
    last_day: int = Field(primary_key=True)  # local, as a day ordinal
    first_day: int
    value: float | None = None
    before: float | None = None
    bound: float | None = None
    counted: float = 0
    rang: bool = False
    at: datetime = instant()


class MadeReportRow(SQLModel, table=True):
    """A report of one closed period in one format, as it was made. Users stand in it by their id alone."""

    __tablename__ = "made_reports"
    name: str = Field(primary_key=True)
    last_day: int = Field(primary_key=True)
    format: str = Field(primary_key=True)
    first_day: int
    body: str = Field(sa_column=Column(Text, nullable=False))
    place: str = ""  # the file it was written into as well
    at: datetime = instant()


class NoticeRow(SQLModel, table=True):
    """A message to colleagues about an alert or a report: planned, sending, then sent, failed or unknown. Its key is unique for ever."""

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_state", "state", "look_at"),)
    key: str = Field(primary_key=True)
    kind: str  # alert or report
    name: str
    last_day: int
    template: str
    channel: str
    subject: str = ""
    text: str = Field(sa_column=Column(Text, nullable=False))
    state: str = "planned"
    tries: int = 0
    look_at: datetime = instant()
    reason: str = ""
    at: datetime = instant()
    done_at: datetime | None = instant(null=True)
