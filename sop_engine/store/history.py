"""Reads the history of one user or of the latest touches: moves, touches with what came back, tags."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from sop_engine.core.conditions import Value
from sop_engine.core.run import from_json
from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import ReceiptRow, TouchRow
from sop_engine.store.tables import EventRow, MoveRow, TagRow, UserRow

touches = table_of(TouchRow)
receipts = table_of(ReceiptRow)
moves = table_of(MoveRow)
tags = table_of(TagRow)
users = table_of(UserRow)
events = table_of(EventRow)

_TOUCH = (
    "id", "run_id", "flow", "step", "state", "reason", "detail", "due_at", "done_at", "channel", "template", "benefit", "choice", "body",
    "cost",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PastTouch:
    """One touch as it is told: when, what became of it and why, what was said, and what came back."""

    id: int
    run_id: int
    user: str
    flow: str
    step: str
    state: str
    reason: str | None
    detail: str | None
    due_at: datetime
    done_at: datetime | None
    channel: str | None
    template: str | None
    benefit: str | None
    choice: str | None
    text: str = field(repr=False, default="")
    receipts: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def at(self) -> datetime:
        """When it was done, else when it is due."""
        return self.done_at or self.due_at


@dataclass(frozen=True, slots=True)
class PastMove:
    """A user entered, left or changed a level: when, why, and the values the rules read."""

    model: str
    old: str | None
    new: str | None
    at: datetime
    day: date
    cause: str
    facts: Mapping[str, Value | None] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class HeldTag:
    """A tag a user has: since when, and until the end of which local day."""

    tag: str
    since: datetime
    until: date | None


def list_past_touches(
    tx: Connection, where: Mapping[str, Any] | None = None, *, run_ids: Iterable[int] | None = None, limit: int | None = None
) -> list[PastTouch]:
    """Touches with these values of columns (`flow` may be a playbook), or of these runs; by time, with a `limit` the latest of them."""
    c = touches.c
    listed = select(*(c[name] for name in _TOUCH), users.c.key).join(users, users.c.id == c.user_id)
    listed = listed.where(*_matches(where or {}))
    if run_ids is not None:
        listed = listed.where(c.run_id.in_(list(run_ids)))
    rows = tx.execute(listed.order_by(c.due_at.desc(), c.id.desc()).limit(limit)).all()[::-1]
    seen = _receipts(tx, [row.id for row in rows])
    return [_past_touch(row, seen.get(row.id, {})) for row in rows]


def touch_counts(tx: Connection, where: Mapping[str, Any]) -> list[tuple[str, str | None, int]]:
    """(state, reason, how many) of the touches with these values of columns; `flow` may be a playbook."""
    c = touches.c
    statement = select(c.state, c.reason, func.count()).where(*_matches(where)).group_by(c.state, c.reason).order_by(func.count().desc())
    return [(r[0], r[1], int(r[2])) for r in tx.execute(statement)]


def _matches(where: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    c = touches.c
    flow = where.get("flow")
    matches = [c[column] == value for column, value in where.items() if column != "flow"]
    return matches if flow is None else [*matches, (c.flow == flow) | c.flow.startswith(f"{flow}/", autoescape=True)]


def _past_touch(row: Any, seen: Mapping[str, datetime]) -> PastTouch:
    return PastTouch(
        row.id,
        row.run_id,
        row.key,
        row.flow,
        row.step,
        row.state,
        row.reason,
        row.detail,
        row.due_at,
        row.done_at,
        row.channel,
        row.template,
        row.benefit,
        row.choice,
        row.body or "",
        seen,
    )


def _receipts(tx: Connection, ids: Sequence[int]) -> dict[int, dict[str, datetime]]:
    found: dict[int, dict[str, datetime]] = {}
    c = receipts.c
    for row in tx.execute(select(c.touch_id, c.kind, c.at).where(c.touch_id.in_(ids)).order_by(c.at)):
        found.setdefault(row.touch_id, {})[row.kind] = row.at
    return found


def list_moves(tx: Connection, user_id: int, model: str | None = None) -> list[PastMove]:
    """The moves of a user, oldest first."""
    c = moves.c
    statement = select(moves).where(c.user_id == user_id).order_by(c.id)
    if model is not None:
        statement = statement.where(c.model == model)
    return [PastMove(r.model, r.old, r.new, r.at, date.fromordinal(r.day), r.cause, from_json(r.facts)) for r in tx.execute(statement)]


def list_tags(tx: Connection, user_id: int) -> list[HeldTag]:
    """Stored tags of a user (rules without `for` are never stored), by name."""
    rows = tx.execute(select(tags).where(tags.c.user_id == user_id).order_by(tags.c.tag))
    return [HeldTag(r.tag, r.set_at, None if r.until_day is None else date.fromordinal(r.until_day)) for r in rows]


def event_counts(tx: Connection, user_id: int) -> dict[str, tuple[int, datetime]]:
    """By kind of event of a user: how many, and the latest."""
    c = events.c
    statement = select(c.kind, func.count(), func.max(c.at)).where(c.user_id == user_id).group_by(c.kind).order_by(c.kind)
    return {kind: (int(many), last) for kind, many, last in tx.execute(statement)}
