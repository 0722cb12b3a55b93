"""The levels of a few users: read, and moved one by one. (Whole populations move inside the database: see placements.)"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, Integer, bindparam, or_, select

from sop_engine.core.conditions import Value
from sop_engine.core.run import to_json
from sop_engine.store.bulk import add_rows, among, put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.tables import MoveRow, OverrideRow, PlacementRow

placements = table_of(PlacementRow)
move_rows = table_of(MoveRow)
overrides = table_of(OverrideRow)

# Written once, for every round of events needs them.
_PLACED = [placements.c[name] for name in ("user_id", "model", "level", "before", "since_day")]
_CURRENT = select(*_PLACED).where(among(placements.c.user_id))
_VALID = or_(overrides.c.until_day.is_(None), overrides.c.until_day >= bindparam("day", type_=Integer()))
_BY_HAND = select(overrides.c.user_id, overrides.c.name, overrides.c.value).where(among(overrides.c.user_id), _VALID)


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a user is in one model: the level, the one before, and the local day (ordinal) since which."""

    model: str
    level: str | None
    before: str | None
    since_day: int


@dataclass(frozen=True, slots=True)
class Moved:
    """One user entered, left or changed a level."""

    user_id: int
    model: str
    old: str | None
    new: str | None
    up: bool | None
    at: datetime
    day: int
    facts: Mapping[str, Value | None] = field(default_factory=dict)


def facts_of(placed: Placed, day: int) -> dict[str, Value | None]:
    """`T`, `T.before` and `T.days` as facts."""
    days = Decimal(day - placed.since_day) if placed.level is not None else None
    return {placed.model: placed.level, f"{placed.model}.before": placed.before, f"{placed.model}.days": days}


def current_levels(tx: Connection, user_ids: Iterable[int]) -> dict[int, dict[str, Placed]]:
    """By user and model."""
    found: dict[int, dict[str, Placed]] = {}
    for row in tx.execute(_CURRENT, {"ids": user_ids}):
        found.setdefault(row.user_id, {})[row.model] = Placed(row.model, row.level, row.before, row.since_day)
    return found


def levels_by_hand(tx: Connection, user_ids: Iterable[int], day: int) -> dict[int, dict[str, str | None]]:
    """By user: names set by hand that still hold on this day."""
    found: dict[int, dict[str, str | None]] = {}
    for row in tx.execute(_BY_HAND, {"ids": user_ids, "day": day}):
        found.setdefault(row.user_id, {})[row.name] = row.value
    return found


def write_moves(tx: Connection, moved: Sequence[Moved], *, cause: str, events: Mapping[int, int], release: str) -> None:
    """Store moves and the levels they lead to."""
    if not moved:
        return
    common = {"cause": cause, "release": release}
    history = [
        {
            "user_id": m.user_id,
            "model": m.model,
            "old": m.old,
            "new": m.new,
            "up": m.up,
            "at": m.at,
            "day": m.day,
            "event_id": events.get(m.user_id),
            "facts": to_json(m.facts),
            **common,
        }
        for m in moved
    ]
    add_rows(tx, move_rows, history)
    rows = [
        {"model": m.model, "user_id": m.user_id, "level": m.new, "before": m.old, "since_at": m.at, "since_day": m.day, "cause": cause}
        for m in moved
    ]
    put_rows(tx, placements, rows, key=("model", "user_id"))


@dataclass(frozen=True, slots=True)
class ByHand:
    """A metric or level set by hand: the value as written in the language (None: unknown, unscored), until the end of a local day."""

    name: str
    value: str | None
    author: str = ""
    until_day: int | None = None


def set_by_hand(tx: Connection, user_id: int, one: ByHand, now: datetime) -> None:
    """Set a metric or level of one user by hand; a later one takes its place."""
    row = {"user_id": user_id, "name": one.name, "value": one.value, "until_day": one.until_day, "author": one.author, "at": now}
    put_rows(tx, overrides, [row], key=("user_id", "name"))
