"""Reads the log of events and the users back as records, in order of time, a page at a time."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from sop_engine.core.conditions import Value
from sop_engine.core.project import Project
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.store.columns import table_of
from sop_engine.store.tables import EventRow, UserRow
from sop_engine.store.users import typed_values

events = table_of(EventRow)
users = table_of(UserRow)

PAGE = 5000


def events_between(tx: Connection, project: Project, start: datetime | None, end: datetime) -> Iterator[EventRecord]:
    """Events with start <= time < end, by time and order of arrival."""
    kinds = {name: {f.name: f.type for f in event.fields.values()} for name, event in project.events.items()}
    c = events.c
    statement = select(events, users.c.key).join(users, users.c.id == c.user_id).where(c.at < end)
    if start is not None:
        statement = statement.where(c.at >= start)
    rows = tx.execution_options(yield_per=PAGE).execute(statement.order_by(c.at, c.id))
    for row in rows:
        fields = _fields(row.fields, kinds.get(row.kind, {}))
        yield EventRecord(row.message_id, row.key, row.kind, row.at, fields, row.actor, row.source)


def _fields(stored: dict[str, Any], kinds: dict[str, str]) -> dict[str, Value]:
    typed = typed_values({k: v for k, v in stored.items() if k in kinds}, kinds)
    others = {k: _plain(v) for k, v in stored.items() if k not in kinds}
    return {**typed, **{k: v for k, v in others.items() if v is not None}}


def _plain(value: Any) -> Value | None:
    if isinstance(value, bool) or value is None:
        return value
    return Decimal(str(value)) if isinstance(value, int | float) else str(value)


def users_joined(tx: Connection, project: Project, start: datetime | None, end: datetime | None) -> Iterator[UserRecord]:
    """Users who joined with start <= time < end, by id, with their attributes."""
    kinds = {name: a.type for name, a in project.attributes.items()}
    c = users.c
    statement = select(users)
    if start is not None:
        statement = statement.where(c.joined_at >= start)
    if end is not None:
        statement = statement.where(c.joined_at < end)
    for row in tx.execution_options(yield_per=PAGE).execute(statement.order_by(c.id)):
        yield UserRecord(row.key, row.joined_at, typed_values(row.attributes, kinds), row.timezone, row.locale)
