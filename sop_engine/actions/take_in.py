"""Takes in calls of the ingestion API: each item by itself, stored once for ever, with all it leads to, before it is answered."""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sop_engine.actions.ingest import NotRecorded, record_events
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
from sop_engine.store.events import StoredBody
from sop_engine.store.refused_items import RefusedItem, add_refused
from sop_engine.store.users import ids_by_key

Seen = Counter[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call and the key it came with. `own_keys`: its items brought the key themselves, and one that brings another is refused.

    `cleaned` is what was put right in the whole body.
    """

    call: Call
    key: str = field(repr=False)
    own_keys: bool = False
    cleaned: Mapping[str, int] = field(default_factory=dict)


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

    key: ApiKey
    history: bool
    records: list[EventRecord] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)  # by message id
    notes: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # by message id
    refused: list[Refusal] = field(default_factory=list)
    seen: Seen = field(default_factory=Counter)


def take_in(app: App, arrivals: Sequence[Arrival], now: datetime) -> list[Taken | None]:
    """Take in calls, together; of each what became of it, or None when its key does not open it.

    When it returns everything is committed; after an error nothing is known, and the same calls may come again.
    """
    with reading(app.engine) as tx:
        project = app.live(tx).project
        heard = [_hear(one, key, project) if (key := find_key(tx, one.key, "ingest")) else None for one in arrivals]
        calls = [one for one in heard if one is not None]
        before = store_events.stored_bodies(tx, {message_id for one in calls for message_id in one.raw})
        users = ids_by_key(tx, {r.user_key for one in calls for r in one.records if r.message_id in before}) if before else {}
    stored: set[str] = set()
    failed = _record(app, calls, now, stored)
    done = {id(one): _weigh(one, before, users, stored, failed) for one in calls}
    if calls:
        _count(app, calls, now)
    return [None if one is None else done[id(one)] for one in heard]


def _hear(arrival: Arrival, key: ApiKey, project: Project) -> _Heard:
    heard = _Heard(key, arrival.call.history)
    heard.seen.update({(word, ""): number for word, number in arrival.cleaned.items()})
    for item, raw in zip(read_items(arrival.call, arrival.key if arrival.own_keys else ""), arrival.call.items, strict=True):
        match item:
            case Dropped():
                heard.seen["dropped", ""] += 1
            case Refusal():
                heard.refused.append(item)
            case Item() if "operate" not in key.scopes and own_event(item, project):
                heard.refused.append(Refusal("own_event", raw))
            case Item():
                _understand(item, raw, project, heard)
    return heard


def _understand(item: Item, raw: Any, project: Project, heard: _Heard) -> None:
    if not item.message_id:
        heard.seen["no_message_id", ""] += 1
    message_id = f"{heard.key.source}/{item.message_id or uuid.uuid4().hex}"
    try:
        found = understood(item, project, heard.key.source, message_id)
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


def _record(app: App, calls: Sequence[_Heard], now: datetime, stored: set[str]) -> set[str]:
    """Take in all events, those of history beside the live ones; the message ids of those the engine failed at."""
    failed: set[str] = set()
    for history in (False, True):
        records = [record for one in calls if one.history is history for record in one.records]
        try:
            if records:
                record_events(app, records, now, history=history, into=stored)
        except NotRecorded as error:
            tell("items_failed", level="error", count=len(error.failed), reason=error.reason)
            failed |= set(error.failed)
    return failed


def _weigh(one: _Heard, before: Mapping[str, StoredBody], users: Mapping[str, int], stored: set[str], failed: set[str]) -> Taken:
    """Count what became of each event of a call. What two calls said at once is stored by the first of them, which takes it out."""
    first: dict[str, EventRecord] = {}
    accepted = repeated = 0
    for record in one.records:
        known, earlier = before.get(record.message_id), first.setdefault(record.message_id, record)
        differs = not known.is_of(record, users.get(record.user_key)) if known else not _same(record, earlier)
        one.seen["differing", ""] += differs
        if record.message_id in failed:
            one.refused.append(Refusal("failed", one.raw.get(record.message_id)))
        elif record.message_id in stored:
            stored.discard(record.message_id)
            one.seen.update(one.notes.get(record.message_id, ()))
            accepted += 1
        else:
            repeated += 1
    one.seen.update({("accepted", ""): accepted, ("repeated", ""): repeated})
    return Taken(accepted, repeated, len(one.refused), one.seen["dropped", ""])


def _same(one: EventRecord, other: EventRecord) -> bool:
    return (one.user_key, one.event, one.fields, one.extra) == (other.user_key, other.event, other.fields, other.extra)


def _count(app: App, calls: Iterable[_Heard], now: datetime) -> None:
    """Keep what was refused, and count; a refused item that comes once more is counted once."""
    by_source: dict[str, Seen] = {}
    items: list[RefusedItem] = []
    for one in calls:
        by_source.setdefault(one.key.source, Counter()).update(one.seen)
        items += [RefusedItem(one.key.source, refusal.reason, _cut(refusal.raw), now) for refusal in one.refused]
    with app.transaction() as tx:
        for item in add_refused(tx, items) if items else []:
            by_source[item.source]["refused", item.reason] += 1
        for source, seen in sorted(by_source.items()):
            source_counts.add_counts(tx, source, seen, now)


def _cut(raw: Any) -> str:
    """What stood there, at most 32 KB of it."""
    return as_text(raw).encode()[:MOST_ITEM_BYTES].decode("utf-8", "ignore")
