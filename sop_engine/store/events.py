"""Remembers events: each once by its message id, with its local day and whether it counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from sop_engine.core.project import Project
from sop_engine.core.records import EventRecord
from sop_engine.store.columns import table_of
from sop_engine.store.dialect import Dialect, dialect, run
from sop_engine.store.settling import counts, settle
from sop_engine.store.tables import EventRow
from sop_engine.store.users import plain_json

events = table_of(EventRow)

_NEW = {
    "message_id": "text", "user_id": "id", "kind": "text", "at": "instant", "day": "date", "hour": "date", "actor": "text",
    "source": "text", "fields": "json", "ref": "text", "counted": "flag", "received_at": "instant",
    "context": "json",
}  # fmt: skip


def known_messages(tx: Connection, message_ids: Iterable[str]) -> set[str]:
    """Which of these message ids are stored."""
    to = dialect(tx)
    sql = f"SELECT e.message_id FROM ({to.rows('asked', {'message_id': 'text'})}) r JOIN events e ON e.message_id = r.message_id"
    return {row[0] for row in run(tx, sql, {"asked": to.row_list([{"message_id": m} for m in message_ids])})}


@dataclass(frozen=True, slots=True)
class StoredBody:
    """What an event said when it was stored first."""

    user_id: int
    kind: str
    fields: Mapping[str, Any]

    def is_of(self, record: EventRecord, user_id: int | None) -> bool:
        """Whether the event says the same once more."""
        return (self.user_id, self.kind) == (user_id, record.event) and self.fields == _all_fields(record)


def stored_bodies(tx: Connection, message_ids: Iterable[str]) -> dict[str, StoredBody]:
    """By message id: what is stored of these."""
    to = dialect(tx)
    asked = to.rows("asked", {"message_id": "text"})
    sql = f"SELECT e.message_id, e.user_id, e.kind, e.fields FROM ({asked}) r JOIN events e ON e.message_id = r.message_id"
    rows = run(tx, sql, {"asked": to.row_list([{"message_id": m} for m in message_ids])})
    return {row[0]: StoredBody(row[1], row[2], to.json_of(row[3])) for row in rows}


def times_of(tx: Connection, event_ids: Iterable[int]) -> dict[int, datetime]:
    """When these events happened."""
    asked = list(event_ids)
    rows = tx.execute(select(events.c.id, events.c.at).where(events.c.id.in_(asked))) if asked else ()
    return {row.id: row.at for row in rows}


def counted_of(tx: Connection, event_ids: Iterable[int]) -> set[int]:
    """Which of these events count: not a trial, not taken back, not the same order once more."""
    to = dialect(tx)
    sql = f"SELECT e.id FROM {to.ids('asked')} JOIN events e ON e.id = s.user_id WHERE e.counted"
    return {row[0] for row in run(tx, sql, {"asked": to.id_list(list(event_ids))})}


def add_events(
    tx: Connection, project: Project, records: Sequence[EventRecord], user_ids: Mapping[str, int], now: datetime
) -> dict[str, int]:
    """Store events of known users, and settle what is taken back or repeated. By message id: the id of each that is new."""
    to = dialect(tx)
    refs = ref_fields(project)
    rows = [_row(to, project, r, user_ids[r.user_key], refs.get(r.event), now) for r in records]
    columns = ", ".join(_NEW)
    sql = (
        f"INSERT INTO events ({columns}, lowered) SELECT {columns}, 0 FROM ({to.rows('new', _NEW)}) r WHERE TRUE "
        "ON CONFLICT (message_id) DO NOTHING RETURNING message_id, id"
    )
    ids = {row[0]: row[1] for row in run(tx, sql, {"new": to.row_list(rows)})}
    settle(tx, project, {(row["user_id"], row["ref"]) for row in rows if row["ref"] is not None and row["message_id"] in ids})
    return ids


def ref_fields(project: Project) -> dict[str, str]:
    """By kind of event: the field that ties an event and the one that takes it back together."""
    fields: dict[str, str] = {}
    for event in project.events.values():
        if event.undone_by is not None:
            fields[event.name] = event.undone_by[1]
            fields.setdefault(event.undone_by[0], event.undone_by[1])
    return fields


def _all_fields(record: EventRecord) -> dict[str, Any]:
    return {**record.extra, **plain_json(record.fields)}


def _row(to: Dialect, project: Project, r: EventRecord, user_id: int, ref_field: str | None, now: datetime) -> dict[str, Any]:
    local = r.at.astimezone(project.zone)
    fields = _all_fields(r)
    ref = fields.get(ref_field) if ref_field else None
    return {
        "message_id": r.message_id,
        "user_id": user_id,
        "kind": r.event,
        "at": to.instant(r.at),
        "day": local.toordinal(),
        "hour": local.hour,
        "actor": r.actor,
        "source": r.source,
        "fields": fields,
        "ref": None if ref is None else str(ref),
        "counted": counts(project, project.events.get(r.event), r),
        "received_at": to.instant(now),
        "context": dict(r.context) if r.context else None,
    }
