"""Hand-written scripts on the raw SQLite driver: store events, load a file, and carry an event through to planned touches."""

import csv
import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from benchmarks.activity import ZONE
from benchmarks.by_hand.columns import columns, read_by_levels
from benchmarks.stock import instant_text, without_indexes
from sop_engine.core.project import Project

ADD = (
    "INSERT INTO events (message_id, user_id, kind, at, day, hour, actor, source, fields, ref, counted, lowered, received_at) "
    "VALUES (?, ?, ?, ?, ?, ?, 'user', 'bench', ?, ?, 1, 0, ?) ON CONFLICT (message_id) DO NOTHING"
)
ADD_RUN = (
    "INSERT INTO runs (user_id, flow, version, start_key, cause, started_at, started_day, anchor_day, held_out, state) "
    "VALUES (?, 'thanks/best', 1, ?, 'entered', ?, ?, ?, 0, 'open') RETURNING id"
)
ADD_TOUCH = (
    "INSERT INTO touches (run_id, user_id, flow, step, occurrence, state, due_at, first_due_at, late_at, rank, epoch, attempts) "
    "VALUES (?, ?, 'thanks/best', ?, '0', 'planned', ?, ?, ?, 1, 0, 0)"
)
STEPS = (("first", 0), ("second", 7), ("third", 21))


class Event(NamedTuple):
    """One event of a user we have, as it arrives."""

    message_id: str
    user_key: str
    kind: str
    at: datetime
    amount: float | None = None


def row_of(event: Event, user_id: int) -> tuple[object, ...]:
    """The event as it is stored."""
    local, at = event.at.astimezone(ZONE), instant_text(event.at)
    ref = f"o{event.message_id}" if event.amount is not None else None
    fields = json.dumps({"order_id": ref, "amount": event.amount}) if ref else "{}"
    return (event.message_id, user_id, event.kind, at, local.toordinal(), local.hour, fields, ref, at)


def add(raw: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Store one batch of rows, durably."""
    raw.execute("BEGIN IMMEDIATE")
    raw.executemany(ADD, rows)
    raw.execute("COMMIT")


def load_file(raw: sqlite3.Connection, file: Path) -> None:
    """Load a CSV file of events into an empty store: users first seen are added, indexes are made afterwards."""
    raw.execute("BEGIN IMMEDIATE")
    indexes = without_indexes(raw)
    ids: dict[str, int] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        next(reader)
        raw.executemany(ADD, _rows(reader, ids))
    day = datetime.now(UTC).toordinal()
    users = ((number, key, instant_text(datetime.now(UTC)), day) for key, number in ids.items())
    raw.executemany("INSERT INTO users (id, key, joined_at, joined_day, attributes, turn) VALUES (?, ?, ?, ?, '{}', 0)", users)
    for index in indexes:
        raw.execute(index)
    raw.execute("COMMIT")


def _rows(reader: Iterable[list[str]], ids: dict[str, int]) -> Iterable[tuple[object, ...]]:
    for kind, user, at, message_id, _order, amount in reader:
        event = Event(message_id, user, kind, datetime.fromisoformat(at).replace(tzinfo=ZONE), float(amount) if amount else None)
        yield row_of(event, ids.setdefault(user, len(ids) + 1))


class Script:
    """What a person would write for this one shop: events in, metrics, levels, moves and planned touches out, in one transaction."""

    def __init__(self, raw: sqlite3.Connection, project: Project, cuts: tuple[float, ...]) -> None:
        self.raw = raw
        self.cuts = cuts
        computed = columns(project, ":today")
        written = ", ".join(f"{c} = excluded.{c}" for c in computed)
        picked = ", ".join(f"{sql} AS {c}" for c, sql in computed.items())
        amounts = "CASE WHEN e.kind = 'order' THEN json_extract(e.fields, '$.amount') - e.lowered END AS amount"
        mine = (
            f"SELECT e.user_id, e.kind, e.day, {amounts} FROM json_each(:ids) s CROSS JOIN events e ON e.user_id = s.value WHERE e.counted"
        )
        self.compute = (
            f"INSERT INTO user_metrics (user_id, {', '.join(computed)}) SELECT user_id, {picked} FROM ({mine} LIMIT -1) "
            f"GROUP BY user_id ON CONFLICT (user_id) DO UPDATE SET {written}"
        )
        read = ", ".join(f"m.{c}" for c in read_by_levels(project).values())
        self.read = (
            f"SELECT m.user_id, p.level, {read} FROM json_each(:ids) s CROSS JOIN user_metrics m ON m.user_id = s.value "
            "LEFT JOIN placements p ON p.user_id = m.user_id AND p.model = 'value'"
        )

    def record(self, batch: Sequence[Event], now: datetime) -> int:
        """Take in one batch, durably; how many moved."""
        raw, at, today = self.raw, instant_text(now), now.astimezone(ZONE).toordinal()
        raw.execute("BEGIN IMMEDIATE")
        messages = json.dumps([e.message_id for e in batch])
        known = {row[0] for row in raw.execute("SELECT message_id FROM json_each(?) s JOIN events ON message_id = s.value", [messages])}
        keys = json.dumps([e.user_key for e in batch])
        ids = dict(raw.execute("SELECT u.key, u.id FROM json_each(?) s JOIN users u ON u.key = s.value", [keys]).fetchall())
        raw.executemany(ADD, [row_of(e, ids[e.user_key]) for e in batch if e.message_id not in known])
        given = {"ids": json.dumps(sorted(set(ids.values()))), "today": today}
        raw.execute(self.compute, given)
        found = [(user, old, self._level(today, *values), values) for user, old, *values in raw.execute(self.read, {"ids": given["ids"]})]
        moved = [(user, old, new, values) for user, old, new, values in found if new != old]
        raw.executemany(
            "INSERT INTO moves (user_id, model, old, new, at, day, cause, facts, release) VALUES (?, 'value', ?, ?, ?, ?, 'hand', ?, '')",
            [(user, old, new, at, today, json.dumps(values)) for user, old, new, values in moved],
        )
        raw.executemany(
            "INSERT INTO placements (model, user_id, level, before, since_at, since_day, cause) VALUES ('value', ?, ?, ?, ?, ?, 'hand') "
            "ON CONFLICT (model, user_id) DO UPDATE SET level = excluded.level, before = excluded.before, since_at = excluded.since_at, "
            "since_day = excluded.since_day, cause = excluded.cause",
            [(user, new, old, at, today) for user, old, new, _ in moved],
        )
        self._start([user for user, _, new, _ in moved if new == "best"], now, at, today)
        raw.execute("COMMIT")
        return len(moved)

    def _start(self, users: Sequence[int], now: datetime, at: str, today: int) -> None:
        touches = []
        for user in users:
            run = self.raw.execute(ADD_RUN, (user, at, at, today, today)).fetchone()[0]
            for step, days in STEPS:
                due = instant_text(now + timedelta(days=days))
                touches.append((run, user, step, due, due, instant_text(now + timedelta(days=days + 1))))
        self.raw.executemany(ADD_TOUCH, touches)

    def _level(self, today: int, *values: float | None) -> str | None:
        orders, last_order, last_active, orders_365, spent_365 = values
        if not orders or last_order is None or last_active is None:
            return None
        if today - last_active >= 90:
            return "asleep"
        if not orders_365:
            return "low"
        recency = 5 - sum(today - last_order > most for most in (14, 30, 60, 120))
        frequency = 1 + sum(orders_365 >= least for least in (2, 3, 5, 8))
        money = 1 + sum((spent_365 or 0) >= cut for cut in self.cuts)
        points = recency + frequency + money
        return "best" if points >= 11 else "promising" if points >= 9 else "steady" if points >= 6 else "low"
