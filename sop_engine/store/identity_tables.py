"""Who is who: identities of users, users who became part of another, and each merge with what undoes it. Same rules as tables.py."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index
from sqlmodel import Field, SQLModel

from sop_engine.store.columns import PERSONAL, Json, instant, json_column, key_column, user_column


class IdentityRow(SQLModel, table=True):
    """A value of an identity attribute that a user has; `kept`: it came with a user who became part of this one."""

    __tablename__ = "identities"
    __table_args__ = (Index("ix_identities_value", "value"), Index("ix_identities_user", "user_id"))
    attribute: str = Field(primary_key=True)
    value: str = Field(primary_key=True, sa_column_kwargs={"info": PERSONAL})
    user_id: int = user_column(primary=True)
    kept: bool = False


class FormerUserRow(SQLModel, table=True):
    """A user who became part of another one, and the row as it was. `now_id` is a living user, however long the chain."""

    __tablename__ = "former_users"
    id: int = user_column(primary=True)
    now_id: int = user_column(index=True)
    key: str = Field(unique=True)
    joined_at: datetime = instant()
    joined_day: int
    timezone: str | None = None
    locale: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict, sa_column=Column(Json, nullable=False, info=PERSONAL))
    known_at: dict[str, Any] | None = json_column()
    turn: int = 0


class MergeRow(SQLModel, table=True):
    """Two users who are one (done), may be (waiting), or are two after all (undone). `before` is what undoing puts back."""

    __tablename__ = "merges"
    __table_args__ = (
        Index("ix_merges_older", "older_id", "state"),
        Index("ix_merges_younger", "younger_id", "state"),
        Index("ix_merges_state", "state", "id"),
    )
    id: int | None = key_column()
    older_id: int = user_column()
    younger_id: int = user_column()
    older_key: str
    younger_key: str
    state: str = "waiting"
    attribute: str = ""
    value: str = Field(default="", sa_column_kwargs={"info": PERSONAL})
    why: str = ""
    at: datetime = instant()
    by: str = ""
    undone_at: datetime | None = instant(null=True)
    undone_by: str = ""
    before: dict[str, Any] | None = json_column(personal=True)


class MovedRow(SQLModel, table=True):
    """A row that changed hands in a merge, or was changed by it: what undoing gives back. `kind`: a table, or what was done to it."""

    __tablename__ = "moved_rows"
    __table_args__ = (Index("ix_moved_rows_row", "kind", "row_id"),)
    merge_id: int = user_column(primary=True)
    kind: str = Field(primary_key=True)
    row_id: int = user_column(primary=True)


class CountedBesideRow(SQLModel, table=True):
    """A message that counts in the caps of a user although it is another one's: sent while the two were one."""

    __tablename__ = "counted_beside"
    user_id: int = user_column(primary=True)
    touch_id: int = user_column(primary=True)
