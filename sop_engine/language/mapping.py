"""Reads users and events out of a table: every value by its type in the catalogue, every refused row with its reason."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sop_engine.core.catalog import Attribute, Field
from sop_engine.core.errors import BadInput
from sop_engine.core.project import Project
from sop_engine.core.records import ACTORS, EventRecord, Rejected, UserRecord
from sop_engine.language import cells
from sop_engine.language.layout import events_layout, known_event, users_layout
from sop_engine.language.mapping_file import ColumnMap, read_mapping
from sop_engine.language.occurrences import Occurrences
from sop_engine.language.rows import Cell, Row, Table

__all__ = ["ColumnMap", "read_events", "read_mapping", "read_users", "unknown_columns"]

AHEAD = timedelta(minutes=5)  # clocks differ; what lies further ahead has not happened
FIRST_YEAR = 1990  # of an event; earlier times are zeros of some clock
LONGEST_ID = 100


@dataclass(frozen=True, slots=True)
class Slot:
    """One column read as one thing. What stands in a `masked` one is not repeated in reasons."""

    name: str
    column: str
    read: Callable[[Cell], Any]
    masked: bool = False
    required: bool = False


def unknown_columns(table: Table, mapping: ColumnMap | None, project: Project, kind: str) -> tuple[str, ...]:
    """The columns that reading the table as `users` or `events` leaves unread; raises BadInput as reading does."""
    layout = users_layout if kind == "users" else events_layout
    return layout(table, mapping or ColumnMap(), project).unknown


def read_users(table: Table, mapping: ColumnMap | None, project: Project, *, now: datetime) -> Iterator[UserRecord | Rejected]:
    """The users in a table, one by one in its order; raises BadInput if table, mapping and project do not fit together."""
    layout = users_layout(table, mapping or ColumnMap(), project)
    readers = {"user_id": cells.identifier, "timezone": _timezone, "locale": _locale, "joined": _past(project.zone, now)}
    known = _known_slots(layout.columns, readers)
    born = _birthdays(project)
    facts = [_attribute_slot(project.attributes[name], column, project.zone, now, name in born) for name, column in layout.facts.items()]

    def read(row: Row) -> UserRecord | Rejected:
        said, problems = _values(row, known)
        attributes, more = _values(row, facts)
        if problems or more:
            return _rejected(row, problems + more)
        return UserRecord(said["user_id"], said.get("joined"), attributes, said.get("timezone"), said.get("locale"))

    return _each(table, read)


def read_events(
    table: Table, mapping: ColumnMap | None, project: Project, *, now: datetime, source: str = "import"
) -> Iterator[EventRecord | Rejected]:
    """The events in a table, one by one in its order; raises BadInput if table, mapping and project do not fit together.

    Without a message id an event is known by its row and by how many equal rows came before, so reading a file twice gives the same ids.
    """
    mapping = mapping or ColumnMap()
    layout = events_layout(table, mapping, project)
    readers = {"user_id": cells.identifier, "at": _past(project.zone, now, FIRST_YEAR), "message_id": cells.text, "actor": _actor}
    known = _known_slots(layout.columns, readers)
    kind = _kind_reader(mapping, layout.columns.get("event", ""), project)
    slots = {name: _field_slots(name, layout.facts, project) for name in project.events}
    seen = Occurrences()

    def read(row: Row) -> EventRecord | Rejected | None:
        said, problems = _values(row, known)
        try:
            event = kind(row)
        except BadInput as error:
            return _rejected(row, [*problems, (layout.columns["event"], str(error))])
        if event is None:
            return None
        fields, more = _values(row, slots[event])
        if problems or more:
            return _rejected(row, problems + more)
        key = _message_id(said.get("message_id", ""), event, row, seen)
        return EventRecord(key, said["user_id"], event, said["at"], fields, said.get("actor", "user"), source)

    return _each(table, read)


Problems = list[tuple[str, str]]
"""What is wrong with a row: (column, sentence)."""


def _each(table: Table, read: Callable[[Row], Any]) -> Iterator[Any]:
    for row in table:
        found = Rejected(row.line, row.problem, row.values) if row.problem else read(row)
        if found is not None:
            yield found


def _values(row: Row, slots: Sequence[Slot]) -> tuple[dict[str, Any], Problems]:
    values: dict[str, Any] = {}
    problems: Problems = []
    for slot in slots:
        cell = row.values.get(slot.column)
        if cells.is_empty(cell):
            if slot.required:
                problems.append((slot.column, f"column '{slot.column}' is empty"))
            continue
        try:
            values[slot.name] = slot.read(cell)
        except BadInput as error:
            shown = "what stands there" if slot.masked else f"'{cells.text(cell)[:40]}'"
            problems.append((slot.column, f"column '{slot.column}': {shown} {error}"))
    return values, problems


def _rejected(row: Row, problems: Problems) -> Rejected:
    given = {name: cell for name, cell in row.values.items() if not cells.is_empty(cell)}
    return Rejected(row.line, "; ".join(sentence for _, sentence in problems), given, problems[0][0])


def _known_slots(columns: Mapping[str, str], readers: Mapping[str, Callable[[Cell], Any]]) -> list[Slot]:
    found = ((key, columns[key], read) for key, read in readers.items() if key in columns)
    return [Slot(key, column, read, required=key in ("user_id", "at")) for key, column, read in found]


def _attribute_slot(attribute: Attribute, column: str, zone: ZoneInfo, now: datetime, birthday: bool) -> Slot:
    read = cells.reader(attribute.type, attribute.words, zone)
    if birthday:
        today = now.astimezone(zone).date()
        read = _born_before(today, zone)
    return Slot(attribute.name, column, read, masked=attribute.sensitive or attribute.type in ("phone", "email"))


def _birthdays(project: Project) -> frozenset[str]:
    """Date attributes that are birthdays: ages are counted from them, or their name says so."""
    counted = {name for metric in project.metrics.values() if metric.verb == "years_since" for name in metric.of}
    dates = (name for name, attribute in project.attributes.items() if attribute.type == "date")
    return frozenset(name for name in dates if name in counted or any(word in name.lower() for word in ("生日", "出生", "birth")))


def _born_before(today: date, zone: ZoneInfo) -> Callable[[Cell], date]:
    def read(cell: Cell) -> date:
        born = cells.day(cell, zone)
        if born.year < 1900 or born > today:
            raise BadInput("is no birthday: it lies before 1900 or in the future")
        return born

    return read


def _past(zone: ZoneInfo, now: datetime, first_year: int = 1900) -> Callable[[Cell], datetime]:
    def read(cell: Cell) -> datetime:
        at = cells.moment(cell, zone)
        if at > now + AHEAD:
            raise BadInput("lies in the future")
        if at.year < first_year:
            raise BadInput(f"lies before {first_year}")
        return at

    return read


def _field_slots(event: str, facts: Mapping[str, str], project: Project) -> list[Slot]:
    fields: Mapping[str, Field] = project.events[event].fields
    slots = []
    for name, column in facts.items():
        if name in fields:
            read = cells.reader(fields[name].type, fields[name].words, project.zone)
            slots.append(Slot(name, column, _not_negative if (event, name) == project.settings.purchase else read))
    return slots


def _not_negative(cell: Cell) -> Decimal:
    amount = cells.number(cell)
    if amount < 0:
        raise BadInput("is negative; money given back is an event of its own")
    return amount


def _kind_reader(mapping: ColumnMap, column: str, project: Project) -> Callable[[Row], str | None]:
    """Reads which event a row is, None for one that is left out on purpose; raises BadInput."""
    if mapping.event:
        return lambda row: mapping.event

    def read(row: Row) -> str | None:
        cell = row.values.get(column)
        if cells.is_empty(cell):
            raise BadInput(f"column '{column}' is empty")
        written = cells.name(cell)
        if written in mapping.skip:
            return None
        event = mapping.values.get(written, written)
        if event not in project.events:
            known_event(event, project)
        return event

    return read


def _message_id(given: str, event: str, row: Row, seen: Occurrences) -> str:
    if given:
        return given if len(given) <= LONGEST_ID else "h:" + hashlib.sha256(given.encode()).hexdigest()
    content = sorted((name, str(cell)) for name, cell in row.values.items() if not cells.is_empty(cell))
    digest = hashlib.sha256(ascii((event, content)).encode()).digest()
    return hashlib.sha256(digest + str(seen.number(digest)).encode()).hexdigest()


def _timezone(cell: Cell) -> str:
    name = cells.text(cell)
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError) as error:
        raise BadInput("is not a time zone. Write it like Asia/Shanghai") from error


def _locale(cell: Cell) -> str:
    name = cells.text(cell).replace("_", "-")
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", name):
        raise BadInput("is not a language. Write it like zh-CN or en")
    return name


def _actor(cell: Cell) -> str:
    actor = cells.text(cell).lower()
    if actor not in ACTORS:
        raise BadInput(f"is no actor. It can be: {', '.join(ACTORS)}")
    return actor
