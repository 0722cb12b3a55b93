"""Takes in one call of the ingestion API: each item by itself, stored once for ever, with all it leads to, before it is answered."""

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sop_engine.actions.ingest import NotRecorded, Recorded, record_events
from sop_engine.actions.keys import find_key
from sop_engine.actions.telling import tell
from sop_engine.app import App
from sop_engine.core.ingested import Dropped, Item, Refusal
from sop_engine.core.project import Project
from sop_engine.core.records import EventRecord
from sop_engine.language.foreign import Understood, own_event, understood
from sop_engine.language.segment import MOST_ITEM_BYTES, Call, read_items
from sop_engine.language.wire import as_text
from sop_engine.store import events as store_events
from sop_engine.store import source_counts
from sop_engine.store.api_keys import ApiKey
from sop_engine.store.engine import reading
from sop_engine.store.refused_items import RefusedItem, add_refused
from sop_engine.store.users import ids_by_key

WITHOUT_ID = "no_message_id"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a call: items stored now, stored before, refused, and not meant for us."""

    stored: int
    repeated: int
    refused: int
    dropped: int


@dataclass
class _Heard:
    """A call as it was read: events in order, what they were written as, refusals, and what is counted."""

    records: list[EventRecord] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)  # by message id
    notes: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # by message id
    refused: list[Refusal] = field(default_factory=list)
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)


def take_in(
    app: App, call: Call, key: str, now: datetime, *, own_keys: bool = False, cleaned: Mapping[str, int] | None = None
) -> Taken | None:
    """Take in a call that came with this key; None when the key does not open it.

    When it returns everything is committed; after an error nothing is known, and the same call may come again. `own_keys`: the items
    brought the key themselves, and one that brings another is refused. `cleaned` is what was put right in the whole body.
    """
    with reading(app.engine) as tx:
        found = find_key(tx, key, "ingest")
        if found is None:
            return None
        project = app.live(tx).project
        heard = _hear(call, key if own_keys else "", found, project)
        stored = store_events.stored_bodies(tx, list(heard.raw))
        users = ids_by_key(tx, {r.user_key for r in heard.records if r.message_id in stored}) if stored else {}
    differing = sum(not stored[r.message_id].is_of(r, users.get(r.user_key)) for r in heard.records if r.message_id in stored)
    done = _record(app, heard, call.history, now)
    heard.seen.update(note for message_id, notes in heard.notes.items() if message_id not in stored for note in notes)
    counts = Counter({(word, ""): number for word, number in (cleaned or {}).items()})
    counts.update({("accepted", ""): done.stored, ("repeated", ""): done.repeated, ("differing", ""): differing})
    _count(app, found, heard, counts, now)
    return Taken(done.stored, done.repeated, len(heard.refused), heard.seen["dropped", ""])


def _hear(call: Call, write_key: str, key: ApiKey, project: Project) -> _Heard:
    heard = _Heard()
    for item, raw in zip(read_items(call, write_key), call.items, strict=True):
        match item:
            case Dropped():
                heard.seen["dropped", ""] += 1
            case Refusal():
                heard.refused.append(item)
            case Item() if "operate" not in key.scopes and own_event(item, project):
                heard.refused.append(Refusal("own_event", raw))
            case Item():
                _understand(item, raw, key, project, heard)
    return heard


def _understand(item: Item, raw: Any, key: ApiKey, project: Project, heard: _Heard) -> None:
    if not item.message_id:
        heard.seen[WITHOUT_ID, ""] += 1
    message_id = f"{key.source}/{item.message_id or uuid.uuid4().hex}"
    try:
        found = understood(item, project, key.source, message_id)
    except Exception as error:  # a mistake of ours must not keep the other items out
        tell("item_failed", level="error", kind=item.type, error=type(error).__name__)
        heard.refused.append(Refusal("failed", raw))
        return
    heard.records.append(found.record)
    if message_id not in heard.raw:
        heard.raw[message_id] = raw
        heard.notes[message_id] = _notes(found, item)


def _notes(found: Understood, item: Item) -> list[tuple[str, str]]:
    """What is to be counted of an item, if it was not stored before."""
    notes = [("trait", name) for name in found.unknown_traits] + [("unfit", name) for name in found.unfit]
    notes += [("event", found.unknown_event)] if found.unknown_event else []
    return notes + ([("bad_timestamp", "")] if item.bad_timestamp else [])


def _record(app: App, heard: _Heard, history: bool, now: datetime) -> Recorded:
    if not heard.records:
        return Recorded()
    try:
        return record_events(app, heard.records, now, history=history)
    except NotRecorded as error:
        tell("items_failed", level="error", count=len(error.failed), reason=error.reason)
        heard.refused += [Refusal("failed", heard.raw.get(message_id)) for message_id in error.failed]
        return error.recorded


def _count(app: App, key: ApiKey, heard: _Heard, counts: Counter[tuple[str, str]], now: datetime) -> None:
    """Keep what was refused, and count; a refused item that comes once more is counted once."""
    items = [RefusedItem(key.source, one.reason, _cut(one.raw), now) for one in heard.refused]
    with app.transaction() as tx:
        fresh = add_refused(tx, items) if items else []
        counts.update(("refused", one.reason) for one in fresh)
        source_counts.add_counts(tx, key.source, {**heard.seen, **counts}, now)


def _cut(raw: Any) -> str:
    """What stood there, at most 32 KB of it."""
    return as_text(raw).encode()[:MOST_ITEM_BYTES].decode("utf-8", "ignore")
