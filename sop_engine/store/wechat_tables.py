"""What WeChat and WeCom need to remember: tokens, who is connected to whom, tasks of colleagues, permissions. Same rules as tables.py."""

from datetime import datetime

from sqlalchemy import Column, Index, Text, text
from sqlmodel import Field, SQLModel

from sop_engine.store.columns import PERSONAL, instant, key_column, reference

AWAITING = text("state = 'awaiting'")


class TokenRow(SQLModel, table=True):
    """An access token of a provider, for all workers. `name` is a hash that holds the secret's; `lease_until`: somebody fetches one now."""

    __tablename__ = "access_tokens"
    name: str = Field(primary_key=True)
    token: str = Field(default="", sa_column=Column(Text, nullable=False))
    renew_at: datetime | None = instant(null=True)  # some minutes before it ends
    expires_at: datetime | None = instant(null=True)
    lease_until: datetime | None = instant(null=True)
    leases: int = 0  # how often one was fetched: only the newest lease may store what it got


class RelationRow(SQLModel, table=True):
    """A customer and a colleague of one corporation. States: connected, removed (by the colleague), left (by the customer), unfit.

    It follows the customer's address, so it needs no user: whoever has the address has the relation.
    """

    __tablename__ = "relations"
    __table_args__ = (Index("ix_relations_staff", "corp", "staff"),)
    corp: str = Field(primary_key=True)
    customer: str = Field(primary_key=True, sa_column_kwargs={"info": PERSONAL})
    staff: str = Field(primary_key=True)
    state: str = "connected"
    owner: bool = False  # took the customer over from another colleague
    since: datetime = instant()
    changed_at: datetime = instant()


class StaffMessageRow(SQLModel, table=True):
    """A message that waits in a colleague's hands: awaiting, then delivered, not_friend, capped, unconfirmed or left_with_staff."""

    __tablename__ = "staff_messages"
    __table_args__ = (
        Index("ix_staff_messages_touch", "touch_id"),
        Index("ix_staff_messages_call", "call_id"),
        Index("ix_staff_messages_day", "corp", "staff", "day"),
        Index("ix_staff_messages_customer", "corp", "customer", "day"),
        Index("ix_staff_messages_awaiting", "look_at", sqlite_where=AWAITING, postgresql_where=AWAITING),
    )
    id: int | None = key_column()
    touch_id: int = reference(null=False)
    channel: str
    corp: str
    call_id: str  # what the provider calls the task: many customers may share it
    customer: str = Field(sa_column_kwargs={"info": PERSONAL})
    staff: str
    day: int  # the project's local day, as an ordinal
    state: str = "awaiting"
    created_at: datetime = instant()
    look_at: datetime = instant()  # when somebody is reminded, or it is given up
    reminded_at: datetime | None = instant(null=True)
    settled_at: datetime | None = instant(null=True)


class FullCapRow(SQLModel, table=True):
    """The provider said that a customer has had as many mass messages as allowed, whoever sent them; it stands until a local day."""

    __tablename__ = "full_caps"
    corp: str = Field(primary_key=True)
    customer: str = Field(primary_key=True, sa_column_kwargs={"info": PERSONAL})
    until_day: int  # the first day on which the next one may be sent, as an ordinal


class PermissionRow(SQLModel, table=True):
    """How many messages of a template somebody has permitted and not had yet. It follows the address, as a relation does."""

    __tablename__ = "permissions"
    account: str = Field(primary_key=True)  # the appid: an openid is valid for it alone
    openid: str = Field(primary_key=True, sa_column_kwargs={"info": PERSONAL})
    template: str = Field(primary_key=True)
    remaining: int = 0
