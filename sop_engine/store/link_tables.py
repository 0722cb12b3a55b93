"""The tables of tracked links: where each leads, and who followed it. Same rules as tables.py."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from sop_engine.store.columns import PERSONAL, instant, user_column

PENDING = text("state = 'pending'")


class LinkRow(SQLModel, table=True):
    """A tracked link of a touch: its number and where it leads, fixed when the text was written."""

    __tablename__ = "links"
    touch_id: int = user_column(primary=True)
    n: int = Field(primary_key=True)
    name: str
    url: str = Field(sa_column_kwargs={"info": PERSONAL})
    at: datetime = instant(index=True)


class ClickRow(SQLModel, table=True):
    """That a link was followed: pending, then genuine or suspect (`why`); once per link."""

    __tablename__ = "clicks"
    __table_args__ = (Index("ix_clicks_pending", "at", sqlite_where=PENDING, postgresql_where=PENDING),)
    touch_id: int = user_column(primary=True)
    n: int = Field(primary_key=True)
    state: str
    why: str = ""
    at: datetime = instant()


class ShareRow(SQLModel, table=True):
    """That a user said to have opened a link, whoever it was sent to: pending, then told (both are) or nothing (it was their own)."""

    __tablename__ = "shares"
    __table_args__ = (Index("ix_shares_pending", "at", sqlite_where=PENDING, postgresql_where=PENDING),)
    touch_id: int = user_column(primary=True)
    opener: str = Field(primary_key=True, sa_column_kwargs={"info": PERSONAL})  # the shop's own id of the user
    n: int
    state: str
    at: datetime = instant()
