"""Decides which column of a table is read as what: by the mapping, else by our own names; and which columns nobody reads."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sop_engine.core.errors import BadInput
from sop_engine.core.project import Project
from sop_engine.language.mapping_file import EVENT_KEYS, USER_KEYS, ColumnMap
from sop_engine.language.report import did_you_mean
from sop_engine.language.rows import Table


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns by what they hold: `columns` user_id, at and so on, `facts` attributes or fields. `unknown` are read by nobody."""

    columns: Mapping[str, str]
    facts: Mapping[str, str]
    unknown: tuple[str, ...]


def users_layout(table: Table, mapping: ColumnMap, project: Project) -> Layout:
    """How users stand in the table; raises BadInput for a name that does not exist or a column that is missing."""
    return _layout(table, mapping, (USER_KEYS, list(project.attributes)), ("user_id",))


def events_layout(table: Table, mapping: ColumnMap, project: Project) -> Layout:
    """How events stand in the table; raises BadInput for a name that does not exist or a column that is missing."""
    for event in [mapping.event] if mapping.event else mapping.values.values():
        known_event(event, project, mapping.place)
    events = [mapping.event] if mapping.event else list(project.events)
    fields = list(dict.fromkeys(name for event in events for name in project.events[event].fields))
    keys = tuple(key for key in EVENT_KEYS if not (mapping.event and key == "event"))
    required = ("user_id", "at") if mapping.event else ("event", "user_id", "at")
    return _layout(table, mapping, (keys, fields), required)


def known_event(event: str, project: Project, place: str = "") -> None:
    """Raises BadInput unless the event is one of the project's kinds."""
    before = f"{place}: " if place else ""
    if event in project.groups:
        raise BadInput(f"{before}'{event}' is a group of events. Write one of them: {', '.join(project.groups[event])}.")
    if event not in project.events:
        raise BadInput(f"{before}there is no event '{event}'.{did_you_mean(event, project.events)}")


def _layout(table: Table, mapping: ColumnMap, ours: tuple[Collection[str], Collection[str]], required: Collection[str]) -> Layout:
    keys, facts = ours
    for name in mapping.facts:
        if name not in facts:
            raise BadInput(f"{mapping.place}: the project has no '{name}'.{did_you_mean(name, facts)}")
    _check_columns(table, mapping)
    taken = {*mapping.columns.values(), *mapping.facts.values(), *mapping.ignore}
    own = {name: name for name in (*keys, *facts) if name not in taken and _may_hold(table, name)}
    columns = {key: column for key, column in {**own, **mapping.columns}.items() if key in keys}
    if "user_id" not in columns and _may_hold(table, "id"):
        columns["user_id"] = "id"
    for key in required:
        if key not in columns:
            raise BadInput(_missing(key, table))
    found = {name: column for name, column in {**own, **mapping.facts}.items() if name in facts}
    read = {*columns.values(), *found.values(), *mapping.ignore}
    return Layout(columns, found, tuple(name for name in table.columns if name not in read))


def _check_columns(table: Table, mapping: ColumnMap) -> None:
    for name, column in {**mapping.columns, **mapping.facts}.items():
        if not _may_hold(table, column):
            raise BadInput(f"{mapping.place}: the file has no column '{column}' for '{name}'.{did_you_mean(column, table.columns)}")


def _may_hold(table: Table, column: str) -> bool:
    """Whether the table has the column; JSON lines may have it further down."""
    return column in table.columns or table.kind == "jsonl"


def _missing(key: str, table: Table) -> str:
    return (
        f"the file has no column '{key}'. Say in a mapping which one it is, as in '{key}: {table.columns[0]}'. "
        f"The file has: {', '.join(table.columns)}."
    )
