"""Reads what a foreign program said as ours: its event by our name, its properties by our types, and what the catalogue does not know."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sop_engine.core.errors import BadInput
from sop_engine.core.ingest_map import IDENTIFY, USUAL, Foreign
from sop_engine.core.ingested import ANONYMOUS, Item
from sop_engine.core.project import BUILT_IN_EVENTS, Project
from sop_engine.core.records import EventRecord, Said
from sop_engine.language import cells
from sop_engine.language.names import normal

KEPT_CONTEXT = ("campaign", "ip", "userAgent")  # stays with the event; the rest of the context is let go
GROUP = "group_id"
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Understood:
    """An event of ours, and what of it is not in the catalogue: the event itself, traits, values that are not of their type."""

    record: EventRecord
    unknown_event: str = ""
    unknown_traits: tuple[str, ...] = ()
    unfit: tuple[str, ...] = ()  # event.field or attribute


def own_event(item: Item, project: Project) -> bool:
    """Whether an item names one of the engine's own events without the project having said so."""
    return item.type == "track" and item.name not in project.ingest and normal(item.name) in BUILT_IN_EVENTS


def understood(item: Item, project: Project, source: str, message_id: str) -> Understood:
    """The item as an event of the log; `message_id` is unique over all sources."""
    kind, pairs = _kind_of(item, project)
    event = project.events.get(kind)
    reading = _Reading(project.zone)
    fields = reading.known({name: (f.type, f.words) for name, f in event.fields.items()} if event else {}, pairs, item.values, f"{kind}.")
    if (kind, project.settings.purchase[1]) == project.settings.purchase:
        reading.refuse_negative(fields, kind, project.settings.purchase[1])
    kept = {name: plain(value) for name, value in item.values.items()}
    taken = {pairs.get(name, name) for name in event.fields} if event else set()
    rest = {name: value for name, value in kept.items() if name not in taken and name not in (event.fields if event else ())}
    traits, unknown = _traits(item, project, reading)
    said = Said(
        traits, _zone(item.context.get("timezone")), item.anonymous_id if item.user_id and item.type == "identify" else "", item.previous_id
    )
    record = EventRecord(
        message_id, item.user_key, kind, item.at, fields, source=source, extra=rest, context=_context(item, reading), profile=said
    )
    unknown_event = kind if event is None and item.type == "track" else ""
    return Understood(record, unknown_event, unknown, tuple(reading.unfit))


def _kind_of(item: Item, project: Project) -> tuple[str, Mapping[str, str]]:
    """What the item is called here, and where our fields stand in it."""
    if item.type == "track":
        line = project.ingest.get(item.name)
        name = normal(item.name)
        if line is None and name not in project.events:
            usual = USUAL.get(item.name)
            line = usual if usual is not None and usual.event in project.events else Foreign(name)
        line = line or Foreign(name)
        return line.event, line.fields
    line = project.ingest.get(item.type) if item.type != IDENTIFY else None
    return (line.event, line.fields) if line is not None else (item.type, {})


def _traits(item: Item, project: Project, reading: "_Reading") -> tuple[dict[str, Any], tuple[str, ...]]:
    """What is said of attributes, by our names; and the names of those the catalogue does not have."""
    if item.type == "group":
        values: Mapping[str, Any] = {GROUP: item.group_id} if item.group_id else {}
    else:
        values = item.values if item.type == IDENTIFY else {}
    if not values:
        return {}, ()
    line = project.ingest.get(IDENTIFY)
    pairs = line.fields if line is not None else {}
    known = reading.known({a.name: (a.type, a.words) for a in project.attributes.values()}, pairs, values, "", clears=True)
    theirs = {pairs.get(name, name) for name in project.attributes} | set(project.attributes)
    rest = {normal(name): value for name, value in values.items() if name not in theirs and normal(name) not in project.attributes}
    simple = {name: plain(value) for name, value in rest.items() if not isinstance(value, dict | list)}
    return {**simple, **known}, tuple(rest)


def _context(item: Item, reading: "_Reading") -> dict[str, Any] | None:
    kept: dict[str, Any] = {name: plain(item.context[name]) for name in KEPT_CONTEXT if item.context.get(name)}
    if item.bad_timestamp:
        kept["bad_timestamp"] = True
    if reading.unfit:
        kept["unfit"] = reading.unfit
    return kept or None


def _zone(name: Any) -> str | None:
    try:
        return ZoneInfo(name).key if isinstance(name, str) and name else None
    except (KeyError, ValueError, OSError):
        return None


@dataclass
class _Reading:
    """Reads values by the types of the catalogue; what does not fit is kept aside under `unfit`."""

    zone: ZoneInfo
    unfit: dict[str, Any] = field(default_factory=dict)

    def known(
        self, types: Mapping[str, tuple[str, tuple[str, ...]]], pairs: Mapping[str, str], values: Mapping[str, Any], where: str,
        *, clears: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """The values that have a type, by our names; null is a value only where it `clears` one."""
        found: dict[str, Any] = {}
        for name, (kind, words) in types.items():
            value = _value(values, pairs.get(name, name), name)
            if value is _MISSING or (value is None and not clears) or value == "":
                continue
            try:
                found[name] = None if value is None else _read(cells.reader(kind, words, self.zone), value)
            except BadInput:
                self.unfit[where + name] = plain(value)
        return found

    def refuse_negative(self, fields: dict[str, Any], event: str, name: str) -> None:
        """Money given back is an event of its own."""
        if isinstance(fields.get(name), Decimal) and fields[name] < 0:
            self.unfit[f"{event}.{name}"] = plain(fields.pop(name))


def _read(reader: Callable[[Any], Any], value: Any) -> Any:
    """The value of a scalar; what holds other values is none."""
    if isinstance(value, dict | list):
        raise BadInput("is not one value")
    return reader(value)


def _value(values: Mapping[str, Any], theirs: str, ours: str) -> Any:
    """The value under their name (with points: inside another), else under ours."""
    for name in (theirs, ours):
        if name in values:
            return values[name]
        inner: Any = values
        for part in name.split("."):
            inner = inner.get(part, _MISSING) if isinstance(inner, dict) else _MISSING
        if inner is not _MISSING:
            return inner
    return _MISSING


def plain(value: Any) -> Any:
    """The value as every database's JSON holds it."""
    match value:
        case Decimal():
            whole = value == value.to_integral_value()
            return int(value) if whole else float(value) if math.isfinite(float(value)) else None
        case dict():
            return {name: plain(one) for name, one in value.items()}
        case list():
            return [plain(one) for one in value]
    return value


def visitor_key(anonymous_id: str) -> str:
    """The key of the user a visitor is until somebody says who it is."""
    return ANONYMOUS + anonymous_id
