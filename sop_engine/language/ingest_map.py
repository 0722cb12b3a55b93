"""Reads `ingest`: what events of foreign programs are called here, and where our fields and attributes stand in them."""

from collections.abc import Mapping

from sop_engine.core.ingest_map import IDENTIFY, Foreign
from sop_engine.language.documents import Documents, Entry
from sop_engine.language.names import no_such, normal
from sop_engine.language.reader import Reader
from sop_engine.language.source import Map, Node, Text
from sop_engine.language.vocabulary import INGEST, INGEST_IDENTIFY


def read_ingest(documents: Documents, reader: Reader) -> dict[str, Foreign]:
    """The lines of the map by the foreign name. `identify` is about traits, every other line about an event."""
    return {
        entry.name: _traits(entry, documents, reader) if entry.name == IDENTIFY else _line(entry, reader)
        for entry in documents.lines("ingest")
    }


def _line(entry: Entry, reader: Reader) -> Foreign:
    if isinstance(entry.node, Text):
        return Foreign(_one_event(reader.name(entry.node, "event"), entry.node, reader))
    values = reader.keys(entry.node, INGEST, "a line of ingest")
    if "event" not in values or not isinstance(entry.node, Map):
        return Foreign()
    event = _one_event(values["event"], entry.node.get("event") or entry.node, reader)
    return Foreign(event, _pairs(values.get("fields"), reader.names.events.get(event, {}), "field", reader))


def _one_event(name: str | None, node: Node, reader: Reader) -> str:
    """The event itself; a group of events is not one."""
    if name in reader.names.groups:
        reader.error(node, 204, f"'{name}' is a group. Write one of its events: {', '.join(reader.names.leaves(name))}.")
        return ""
    return name or ""


def _traits(entry: Entry, documents: Documents, reader: Reader) -> Foreign:
    values = reader.keys(entry.node, INGEST_IDENTIFY, "the line 'identify'")
    known = dict.fromkeys(documents.of("attributes"))
    return Foreign("", _pairs(values.get("attributes"), known, "attribute", reader))


def _pairs(node: Node | None, known: Mapping[str, object], what: str, reader: Reader) -> dict[str, str]:
    """Our names and theirs; unknown ones of ours are reported."""
    if node is None:
        return {}
    if not isinstance(node, Map):
        reader.error(node, 206, "this takes our names and theirs, as in {amount: revenue}.")
        return {}
    found = {}
    for name, key, value in node:
        theirs = reader.text(value)
        if normal(name) not in known:
            reader.error(key, 301, no_such(what, name, list(known)))
        elif theirs:
            found[normal(name)] = theirs
    return found
