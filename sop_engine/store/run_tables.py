"""What is done: assignments, runs, touches, grants, the outbox and tasks. Same rules as tables.py."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from sop_engine.store.columns import PERSONAL, Money, instant, json_column, key_column, reference, user_column

PLANNED, UNKNOWN = text("state = 'planned'"), text("state = 'unknown'")
HELD, ISSUED = text("state IN ('queued', 'sending')"), text("state = 'issued'")
TIED = text("tied IS NOT NULL")
WAITING = text("state = 'open' AND escalated_at IS NULL")
UNWRITTEN = text("state = 'skipped' AND reason = 'render'")


class AssignmentRow(SQLModel, table=True):
    """A user's arm in an experiment, recorded before any send and never changed."""

    __tablename__ = "assignments"
    experiment: str = Field(primary_key=True)
    user_id: int = user_column(primary=True)
    variant: str | None = None
    held_out: bool = False
    at: datetime = instant()
    run_id: int | None = reference()


class RunRow(SQLModel, table=True):
    """One user going through one flow."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("flow", "user_id", "start_key"),
        Index("ix_runs_user", "user_id", "state"),
        Index("ix_runs_flow", "flow", "state"),
        Index("ix_runs_close", "close_at", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
    )
    id: int | None = key_column()
    user_id: int = user_column()
    flow: str
    version: int
    start_key: str  # what started it: a time, or an event's message id
    cause: str  # in words, for `why`
    started_at: datetime = instant()
    started_day: int
    anchor_day: int
    variant: str | None = None
    held_out: bool = False
    state: str = "open"  # open or ended
    end_reason: str | None = None
    ended_at: datetime | None = instant(null=True)
    goal_at: datetime | None = instant(null=True)
    counted_goals: dict[str, Any] | None = json_column()  # other goals reached: name -> time
    start_facts: dict[str, Any] | None = json_column(personal=True)
    start_event_id: int | None = reference(index=True)
    end_turn: int | None = None  # the user's turn at which it ended: no intent of a later turn may belong to it
    close_at: datetime | None = instant(null=True)  # when the last goal window closes


class RefusedStartRow(SQLModel, table=True):
    """A start that was refused, and why."""

    __tablename__ = "refused_starts"
    __table_args__ = (Index("ix_refused_user", "user_id", "flow"),)
    id: int | None = key_column()
    user_id: int = user_column()
    flow: str
    at: datetime = instant()
    reason: str
    detail: str = ""


class TouchRow(SQLModel, table=True):
    """One step of one run: planned, queued, sending, then sent, skipped, failed, cancelled or unknown."""

    __tablename__ = "touches"
    __table_args__ = (
        UniqueConstraint("run_id", "step", "occurrence"),
        Index("ix_touches_due", "due_at", sqlite_where=PLANNED, postgresql_where=PLANNED),
        Index(
            "ix_touches_lease",
            "lease_until",
            sqlite_where=HELD,
            postgresql_where=HELD,
        ),
        Index("ix_touches_flow", "lane", "flow", "due_at", sqlite_where=PLANNED, postgresql_where=PLANNED),
        Index("ix_touches_look", "look_at", sqlite_where=UNKNOWN, postgresql_where=UNKNOWN),
        Index("ix_touches_unwritten", "done_at", sqlite_where=UNWRITTEN, postgresql_where=UNWRITTEN),
        Index("ix_touches_user", "user_id", "intent_day"),
    )
    id: int | None = key_column()
    run_id: int = reference(null=False)
    user_id: int = user_column()
    flow: str
    step: str
    occurrence: str = "0"  # 0, or the local date of a repeated step
    state: str = "planned"
    reason: str | None = None
    detail: str | None = None  # what each template of a list answered; the values a condition read
    due_at: datetime = instant()
    first_due_at: datetime = instant()
    late_at: datetime = instant()  # later than this it is skipped
    rank: int = 1  # priority of the flow, 0 low to 3 urgent
    lane: int = Field(default=1, sa_column_kwargs={"server_default": "1"})  # 0: service and what sends nothing, goes first; 1: marketing
    epoch: int = 0
    lease_until: datetime | None = instant(null=True)
    attempts: int = 0  # calls to a provider, or intents for one
    proof: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # how often it was proven not accepted: part of the key
    look_at: datetime | None = instant(null=True)  # of an unknown one: when it is looked at again
    purpose: str | None = None
    channel: str | None = None
    template: str | None = None
    content_type: str | None = None
    choice: str | None = None
    benefit: str | None = None
    void: str | None = None
    subject: str | None = Field(default=None, sa_column_kwargs={"info": PERSONAL})
    body: str | None = Field(default=None, sa_column_kwargs={"info": PERSONAL})
    address: str | None = Field(default=None, sa_column_kwargs={"info": PERSONAL})
    provider_id: str | None = None
    cost: Decimal | None = Field(default=None, sa_column=Column(Money))
    level: str | None = None  # of the primary tier at the intent
    intent_at: datetime | None = instant(null=True)
    intent_day: int | None = None  # the user's local day of the intent: what caps count
    done_at: datetime | None = instant(null=True)  # sent, skipped, failed or cancelled


class ReceiptRow(SQLModel, table=True):
    """What came back about a touch: delivered, opened, clicked, replied, done, used; each once."""

    __tablename__ = "receipts"
    touch_id: int = user_column(primary=True)
    kind: str = Field(primary_key=True)
    at: datetime = instant()


class GrantRow(SQLModel, table=True):
    """A benefit promised to a user. reserved -> issued -> redeemed, expired or voided; reserved -> released."""

    __tablename__ = "grants"
    __table_args__ = (
        UniqueConstraint("touch_id", "benefit"),
        Index("ix_grants_user", "user_id", "benefit"),
        Index("ix_grants_budget", "benefit", "given_day"),
        Index("ix_grants_flow", "flow", "given_day"),
        Index("ix_grants_code", "code"),
        Index("ix_grants_expires", "expires_at", sqlite_where=ISSUED, postgresql_where=ISSUED),
        Index("ix_grants_used", "used_event"),
        Index("ix_grants_tied", "state", sqlite_where=TIED, postgresql_where=TIED),
    )
    id: int | None = key_column()
    user_id: int = user_column()
    run_id: int = reference(null=False)
    touch_id: int = reference(null=False)
    flow: str
    step: str
    benefit: str
    pool: str
    code: str
    state: str = "reserved"
    cost: Decimal = Field(default=Decimal(0), sa_column=Column(Money, nullable=False))
    given_at: datetime = instant()
    given_day: int
    expires_at: datetime | None = instant(null=True)
    used_at: datetime | None = instant(null=True)
    kind: str = Field(default="code", sa_column_kwargs={"server_default": "code"})  # code, shared, entitlement or external
    worth: Decimal | None = Field(default=None, sa_column=Column(Money))  # the face value, where it is money
    sets: dict[str, Any] | None = json_column()  # of an entitlement: the attributes it gives
    issued_at: datetime | None = instant(null=True)  # when the message was accepted
    used_event: str | None = None  # the message id of the event that says it was used
    used_order: str | None = None
    tied: str | None = None  # what stands and falls with it: an attribute of the user, or a coupon at a provider; None once that is over


class PoolRow(SQLModel, table=True):
    """A stock of codes: generated while `taken < size` (null: without end), or uploaded, one row in pool_codes each."""

    __tablename__ = "pools"
    name: str = Field(primary_key=True)
    kind: str = "generated"  # generated or uploaded
    size: int | None = None
    taken: int = 0


class PoolCodeRow(SQLModel, table=True):
    """An uploaded code, free until a grant takes it."""

    __tablename__ = "pool_codes"
    pool: str = Field(primary_key=True)
    code: str = Field(primary_key=True)
    grant_id: int | None = reference(index=True)


class OptOutRow(SQLModel, table=True):
    """A refusal that stands by the ledger of consents: of a channel or of all (`*`), about a topic or about all."""

    __tablename__ = "opt_outs"
    user_id: int = user_column(primary=True)
    channel: str = Field(primary_key=True)
    topic: str = Field(default="*", primary_key=True, sa_column_kwargs={"server_default": "*"})
    at: datetime = instant()
    source: str = ""
    turn: int | None = None  # the user's turn at which it was stored: no intent of a later turn may go against it


class OutboxRow(SQLModel, table=True):
    """A message delivered into the outbox instead of to a provider; its key is unique for ever."""

    __tablename__ = "outbox"
    id: int | None = key_column()
    key: str = Field(unique=True)
    at: datetime = instant(index=True)
    channel: str
    via: str
    user_id: int = user_column(index=True)
    address: str = Field(default="", sa_column_kwargs={"info": PERSONAL})
    subject: str = Field(default="", sa_column_kwargs={"info": PERSONAL})
    text: str = Field(default="", sa_column_kwargs={"info": PERSONAL})
    template: str = ""
    purpose: str = ""
    test: bool = False


class TaskRow(SQLModel, table=True):
    """A to-do for a colleague: open, done, not_reached, refused or unconfirmed."""

    __tablename__ = "tasks"
    __table_args__ = (Index("ix_tasks_due", "channel", "due_at", sqlite_where=WAITING, postgresql_where=WAITING),)
    id: int | None = key_column()
    key: str = Field(unique=True)
    touch_id: int | None = reference(index=True)
    user_id: int = user_column(index=True)
    assignee: str
    text: str = Field(sa_column_kwargs={"info": PERSONAL})
    state: str = "open"
    created_at: datetime = instant()
    due_at: datetime | None = instant(null=True)
    done_at: datetime | None = instant(null=True)
    escalated_at: datetime | None = instant(null=True)
    channel: str | None = None  # says to whom it is escalated; None for a task that escalates another: it goes no further


class ProgressRow(SQLModel, table=True):
    """How far an import of a file has come, so that it can go on after a stop."""

    __tablename__ = "imports"
    file_hash: str = Field(primary_key=True)
    kind: str
    line: int
    at: datetime = instant()
