"""Reads what is known about users: attributes, identities, events and their groups."""

from sop_engine.core.catalog import Attribute, Event, Field
from sop_engine.core.project import BUILT_IN_EVENTS
from sop_engine.language.cycles import circle_through
from sop_engine.language.documents import Documents, Entry
from sop_engine.language.names import EVENT_BASICS, no_such, normal
from sop_engine.language.reader import Reader, check_name
from sop_engine.language.report import did_you_mean
from sop_engine.language.scopes import event_scope
from sop_engine.language.source import List, Map, Node, Text
from sop_engine.language.vocabulary import ATTRIBUTE, FIELD_TYPES, TYPES

_TYPE_FORM = "Write text, number, flag, date, phone, email, or a list of words: [女, 男]."


def read_attributes(documents: Documents, reader: Reader) -> dict[str, Attribute]:
    """The attributes by name."""
    found: dict[str, Attribute] = {}
    for entry in documents.lines("attributes"):
        values = {"type": entry.node}
        if isinstance(entry.node, Map):
            values = reader.keys(entry.node, ATTRIBUTE, "an attribute")
        type_ = read_type(values["type"], reader, TYPES) if "type" in values else None
        if type_ is not None:
            sensitive, note = bool(values.get("sensitive")), str(values.get("note", ""))
            found[entry.name] = Attribute(entry.name, type_[0], type_[1], sensitive, note)
    return found


def read_type(node: Node, reader: Reader, types: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | None:
    """The type of an attribute or field with its words, or None."""
    if isinstance(node, List):
        words = reader.many(node, reader.text)
        if not words:
            reader.error(node, 206, f"this list of words is empty. {_TYPE_FORM}")
        return ("words", tuple(dict.fromkeys(map(normal, words)))) if words else None
    if isinstance(node, Map):
        reader.error(node, 206, f"this is not a type. {_TYPE_FORM}")
        return None
    if node.value not in types:
        reader.error(node, 204, f"'{node.value}' is not a type.{did_you_mean(node.value, types)} Or write a list of words: [女, 男].")
        return None
    return node.value, ()


def read_identities(documents: Documents, reader: Reader) -> tuple[tuple[str, str], ...]:
    """The attributes that tell who a user is, strongest first, with their domain."""
    found = []
    for entry in documents.lines("identities"):
        known = reader.name(entry.key, "attribute")
        domain = reader.one_of(entry.node, ("public", "private"))
        if known and domain:
            found.append((known, domain))
    return tuple(found)


def read_events(documents: Documents, reader: Reader) -> dict[str, Event]:
    """The kinds of events by name, built-in ones first; groups are checked here and expanded in the names."""
    found = {e: Event(e, reader.names.events[e], built_in=True) for e in BUILT_IN_EVENTS}
    for entry in documents.lines("events"):
        if entry.name in BUILT_IN_EVENTS:
            reader.error(entry.key, 302, f"'{entry.name}' exists already: every project has this event.")
        elif isinstance(entry.node, List):
            _check_group(entry, documents, reader)
        else:
            event = _event(entry, reader)
            if event is not None:
                found[entry.name] = event
    return found


def _event(entry: Entry, reader: Reader) -> Event | None:
    node = reader.map(entry.node, "an event")
    if node is None:
        return None
    fields: dict[str, Field] = {}
    for name, key, value in node:
        if name not in ("where", "undone_by", "note"):
            type_ = read_type(value, reader, FIELD_TYPES)
            _check_field(key, reader)
            if type_ is not None:
                fields[name] = Field(name, *type_)
    where, undone_by = node.get("where"), node.get("undone_by")
    condition = reader.within(where=event_scope(reader.names, (entry.name,))).condition(where, "where") if where else None
    return Event(entry.name, fields, condition, _undone_by(undone_by, entry, fields, reader) if undone_by else None)


def _check_field(key: Text, reader: Reader) -> None:
    name = normal(key.value)
    if name in EVENT_BASICS or name == "id":
        reader.error(key, 303, f"every event has '{name}' already. Choose another name.")
    elif not name.isidentifier():
        check_name(key, "a field", reader.report)


def _undone_by(node: Node, entry: Entry, fields: dict[str, Field], reader: Reader) -> tuple[str, str] | None:
    found = event_field(node, reader)
    if found is None:
        return None
    events, field = found
    if field.name not in fields:
        reader.error(node, 301, no_such("field", field.name, fields) + f" '{entry.name}' needs the same field.")
    elif len(events) != 1 or events[0] == entry.name:
        reader.error(node, 204, "an event is undone by one other kind of event, such as refund.order_id.")
    return events[0], field.name


def event_field(node: Node, reader: Reader) -> tuple[tuple[str, ...], Field] | None:
    """The kinds of events and the field that `event.field` names; None, reported, if there is none."""
    text = reader.text(node)
    if text is None:
        return None
    names = reader.names
    event, _, name = normal(text).partition(".")
    leaves = names.leaves(event)
    fields = names.common_fields(leaves)
    if leaves and name in fields:
        return leaves, fields[name]
    _no_field(node, text, event, reader)
    return None


def _no_field(node: Node, text: str, event: str, reader: Reader) -> None:
    names = reader.names
    near = [event] if names.leaves(event) else names.listed("event")
    listed = [f"{e}.{f}" for e in near for f in names.common_fields(names.leaves(e))]
    if names.leaves(event) and "." not in text:
        reader.error(node, 203, f"'{text}' names an event without a field. Write 'event.field', such as '{listed[0]}'.")
    else:
        reader.error(node, 301, no_such("event field", text, listed))


def _check_group(entry: Entry, documents: Documents, reader: Reader) -> None:
    names = reader.many(entry.node, lambda item: reader.name(item, "event"))
    if not names and isinstance(entry.node, List) and not entry.node.items:
        reader.error(entry.node, 206, "this group of events is empty. Write [visit, order].")
    circle = circle_through(entry.name, _inner(documents))
    if circle:
        reader.error(entry.key, 304, f"'{entry.name}' contains itself: {' -> '.join([*circle, entry.name])}.")


def _inner(documents: Documents) -> dict[str, tuple[str, ...]]:
    """What each group of events names."""
    groups = {e.name: e.node for e in documents.lines("events") if isinstance(e.node, List)}
    return {name: tuple(normal(item.value) for item in node.items if isinstance(item, Text)) for name, node in groups.items()}
