"""What keeps it safe: attempts, stops, leases, circuits, and the record of what was done. Same rules as tables.py.

`touch_changes` is written by a trigger of the database, so that no change of a state can go unrecorded.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from sop_engine.store.columns import Instant, instant, json_column, key_column, reference, user_column

FAILED = text("outcome IN ('unclear', 'refused')")
NAMED = text("provider_id IS NOT NULL")


class AttemptRow(SQLModel, table=True):
    """One call to a provider: stored before it is made, settled after. `began_at` is the engine's time of the intent."""

    __tablename__ = "attempts"
    __table_args__ = (
        Index("ix_attempts_touch", "touch_id"),
        Index("ix_attempts_key", "key"),
        Index("ix_attempts_began", "began_at", "outcome"),
        Index("ix_attempts_failed", "began_at", sqlite_where=FAILED, postgresql_where=FAILED),
        Index("ix_attempts_provider", "provider_id", sqlite_where=NAMED, postgresql_where=NAMED),
        UniqueConstraint("touch_id", "epoch"),
    )
    id: int | None = key_column()
    touch_id: int = reference(null=False)
    user_id: int = user_column()
    epoch: int  # of the touch: only this holder may settle it
    proof: int  # with the touch and the channel this makes the key
    channel: str
    key: str
    body_hash: str
    message: dict[str, Any] | None = json_column(personal=True)  # as it was handed over, for a repeat under the same key
    turn: int  # the user's turn
    switch: int  # the newest stop or release that was seen
    due_at: datetime = instant()  # of the touch, first and now: nothing begins before the one or long after the other
    began_at: datetime = instant()
    outcome: str = "open"  # open, accepted, not_accepted, refused or unclear
    reason: str | None = None
    provider_id: str | None = None
    settled_at: datetime | None = instant(null=True)


class LateResultRow(SQLModel, table=True):
    """An answer that came after the touch had been taken from whoever brought it."""

    __tablename__ = "late_results"
    id: int | None = key_column()
    touch_id: int = reference(null=False, index=True)
    epoch: int
    at: datetime = instant()
    outcome: str
    reason: str | None = None
    provider_id: str | None = None


class TouchChangeRow(SQLModel, table=True):
    """One change of a touch's state, written by the database itself in the same transaction."""

    __tablename__ = "touch_changes"
    id: int | None = key_column()
    touch_id: int = reference(null=False, index=True)
    old: str
    new: str
    reason: str | None = None
    epoch: int


class StopRow(SQLModel, table=True):
    """A stop or a release of a scope: all, playbook:NAME or channel:NAME. Append-only: the newest row of a scope holds.

    The id is the switch version that intents see and store.
    """

    __tablename__ = "stops"
    __table_args__ = (Index("ix_stops_scope", "scope", "id"),)
    id: int | None = key_column()
    scope: str
    stopped: bool
    at: datetime = instant()
    by: str
    why: str = ""
    finding: str = ""  # of an automatic stop: what left its bounds, so that nothing is stopped twice for it on one day


class LeaseRow(SQLModel, table=True):
    """Who leads. `until` is the database's time; a new holder has a new epoch. `pulse` rises with every renewal and is never lower."""

    __tablename__ = "leases"
    name: str = Field(primary_key=True)
    holder: str
    epoch: int
    until: datetime = instant()
    pulse: int = 0


class SliceRow(SQLModel, table=True):
    """A part of a task about everybody (a midnight, a refresh): the users with first <= id < first + size. Done once."""

    __tablename__ = "slices"
    __table_args__ = (Index("ix_slices_open", "task", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),)
    task: str = Field(primary_key=True)
    first: int = user_column(primary=True)
    size: int
    state: str = "open"  # open or done
    epoch: int = 0
    lease_until: datetime | None = instant(null=True)
    moves: int = 0


class SetAsideRow(SQLModel, table=True):
    """A user with whom a task about many failed: set aside, so that the others go on, until somebody has looked."""

    __tablename__ = "set_aside"
    __table_args__ = (UniqueConstraint("user_id", "task"),)
    id: int | None = key_column()
    user_id: int = user_column()
    task: str
    at: datetime = instant()
    error: str


class ProcessRow(SQLModel, table=True):
    """A process that works on this database: a worker, a scheduler, `sop run` or the web server."""

    __tablename__ = "processes"
    name: str = Field(primary_key=True)
    kind: str
    version: str = ""
    started_at: datetime = instant()
    seen_at: datetime = instant()
    worked_at: datetime | None = instant(null=True)  # when it last finished something


class JobRow(SQLModel, table=True):
    """A recurring job of the leader: when it last went well, and what was wrong if it did not."""

    __tablename__ = "jobs"
    name: str = Field(primary_key=True)
    every_s: int = 0
    ok_at: datetime | None = instant(null=True)
    failed_at: datetime | None = instant(null=True)
    error: str = ""


class CircuitRow(SQLModel, table=True):
    """How calls to the account of a channel go: closed, open (nobody calls until then), or probing (one call is under way)."""

    __tablename__ = "circuits"
    account: str = Field(primary_key=True)
    state: str = "closed"
    results: str = ""  # the last ten calls: 1 answered, 0 not
    until: datetime | None = instant(null=True)
    reason: str = ""
    detail: str = ""


class BucketRow(SQLModel, table=True):
    """A rate limit kept in the database: where there is no Redis, or while it is away."""

    __tablename__ = "buckets"
    account: str = Field(primary_key=True)
    free_at: datetime = instant()  # the database's time at which the next call fits


class SendCountRow(SQLModel, table=True):
    """How many intents of a step over a channel began in the five minutes from `slot` on, for 15 days: the watch compares with them."""

    __tablename__ = "send_counts"
    __table_args__ = (Index("ix_send_counts_slot", "slot"),)
    flow: str = Field(primary_key=True)
    step: str = Field(primary_key=True)
    channel: str = Field(primary_key=True)
    slot: datetime = Field(sa_column=Column(Instant, primary_key=True))
    sends: int


class AuditRow(SQLModel, table=True):
    """Something an operator did, or a seal over the changes of touches; each row's hash covers the one before."""

    __tablename__ = "audit"
    id: int | None = key_column()
    at: datetime = instant()
    who: str
    what: str
    about: dict[str, Any] | None = json_column()  # ids, names and counts only
    hash: str
