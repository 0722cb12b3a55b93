"""What is known: users, events, metric values, placements, tags, versions. Rows end in Row and never leave this room.

Columns marked PERSONAL are erased and masked.

Instants are aware UTC (`Instant` refuses naive times); `*_day` columns are local dates in the project's zone as day ordinals
(`date.toordinal()`), so that looking back 30 days is a subtraction. `user_metrics` has one more column for each aggregate the
live project needs; they are added by `metric_values.prepare`.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Index, text
from sqlmodel import Field, SQLModel

from sop_engine.store.columns import PERSONAL, Instant, Json, Money, instant, json_column, key_column, reference, user_column


class UserRow(SQLModel, table=True):
    """A customer. `key` is the shop's own id; `turn` orders intents and whatever forbids them."""

    __tablename__ = "users"
    __table_args__ = {"sqlite_autoincrement": True}  # the id of a user who is none any more is nobody else's
    id: int | None = key_column()
    key: str = Field(unique=True)
    joined_at: datetime = instant()
    joined_day: int
    timezone: str | None = None
    locale: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict, sa_column=Column(Json, nullable=False, info=PERSONAL))
    turn: int = 0
    known_at: dict[str, Any] | None = json_column()  # attribute -> when it was said (ISO), where that is known


class EventRow(SQLModel, table=True):
    """Something that happened; append-only. `counted` and `lowered` are settled anew when a refund or a repeat arrives."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_user", "user_id", "kind", "day", "counted", "actor"),  # counting reads the index alone
        Index("ix_events_edge", "day", "kind", "user_id"),  # the users at the edges of a window: by slice, and from the index alone
        Index("ix_events_ref", "user_id", "ref", sqlite_where=text("ref IS NOT NULL"), postgresql_where=text("ref IS NOT NULL")),
    )
    id: int | None = key_column()
    message_id: str = Field(unique=True)
    user_id: int = user_column()
    kind: str
    at: datetime = instant()
    day: int  # local
    hour: int  # local, 0-23
    actor: str = "user"  # user, staff or system
    source: str = ""
    fields: dict[str, Any] = Field(default_factory=dict, sa_column=Column(Json, nullable=False, info=PERSONAL))
    ref: str | None = None  # the value that ties an order and its refund together
    counted: bool = True  # false: its `where` does not fit, it was taken back, or it repeats an order
    lowered: Decimal = Field(default=Decimal(0), sa_column=Column(Money, nullable=False, default=0))  # partial refunds, money
    received_at: datetime = instant()
    context: dict[str, Any] | None = json_column(personal=True)  # what came with it and no rule reads: ip, browser, campaign, flags


class MetricRow(SQLModel, table=True):
    """The stored metric values: one wide row per user, recomputed exactly from the events."""

    __tablename__ = "user_metrics"
    user_id: int = user_column(primary=True)


class PlacementRow(SQLModel, table=True):
    """The level a user is in now. No row, or a null level: unscored."""

    __tablename__ = "placements"
    __table_args__ = (Index("ix_placements_user", "user_id"),)
    model: str = Field(primary_key=True)
    user_id: int = user_column(primary=True)
    level: str | None = None
    before: str | None = None  # the level before this one
    since_at: datetime = instant()
    since_day: int
    cause: str  # event, sweep, refresh, apply, import or hand


class MoveRow(SQLModel, table=True):
    """A user entered, left or changed a level; never edited. `facts` holds the values the rules read."""

    __tablename__ = "moves"
    __table_args__ = (Index("ix_moves_model", "model", "day"), Index("ix_moves_user", "user_id", "model", "at"))
    id: int | None = key_column()
    user_id: int = user_column()
    model: str
    old: str | None = None
    new: str | None = None
    up: bool | None = None
    at: datetime = instant()
    day: int
    cause: str
    event_id: int | None = reference()
    facts: dict[str, Any] | None = json_column()
    release: str = ""  # hash of the project whose rules decided


class FitRow(SQLModel, table=True):
    """Frozen population numbers of a metric: cut points, centres or coefficients."""

    __tablename__ = "fits"
    metric: str = Field(primary_key=True)
    fitted_at: datetime = Field(sa_column=Column(Instant, primary_key=True))
    definition: str  # hash of the metric's definition
    fit: dict[str, Any] = Field(default_factory=dict, sa_column=Column(Json, nullable=False))


class TagRow(SQLModel, table=True):
    """A tag a user has, with its evidence and its last day."""

    __tablename__ = "user_tags"
    user_id: int = user_column(primary=True)
    tag: str = Field(primary_key=True)
    set_at: datetime = instant()
    until_day: int | None = None  # the last local day it stands; null: for ever
    evidence: list[Any] | None = json_column(personal=True)


class OverrideRow(SQLModel, table=True):
    """A metric or level set by hand (or by a story), until a day."""

    __tablename__ = "overrides"
    user_id: int = user_column(primary=True)
    name: str = Field(primary_key=True)
    value: str | None = None  # as written in the language; null: unknown, unscored
    until_day: int | None = None
    author: str = ""
    at: datetime = instant()


class ReleaseRow(SQLModel, table=True):
    """The text of a project that was applied: what running users stay pinned to."""

    __tablename__ = "releases"
    hash: str = Field(primary_key=True)
    files: dict[str, str] = Field(default_factory=dict, sa_column=Column(Json, nullable=False))
    applied_at: datetime = instant()


class VersionRow(SQLModel, table=True):
    """One version of a flow: its number, its fingerprint and the release that holds its text."""

    __tablename__ = "versions"
    flow: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    fingerprint: str
    release: str
    texts: str = ""  # a later release whose corrected wording is used
    created_at: datetime = instant()
    approved_by: str = ""
    ramp: int | None = None  # it opens slowly: the starts a day that were forecast; null: it was open at once


class MarkRow(SQLModel, table=True):
    """Small things to remember: the live release, the last midnight swept."""

    __tablename__ = "marks"
    name: str = Field(primary_key=True)
    value: str
