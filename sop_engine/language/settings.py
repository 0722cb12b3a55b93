"""Reads the `project` document: zone, hours, caps, what a purchase is, profiles."""

import zoneinfo
from typing import Any

from sop_engine.core.project import Settings
from sop_engine.language.documents import Documents
from sop_engine.language.facts import event_field
from sop_engine.language.links import read_links
from sop_engine.language.names import no_such, normal
from sop_engine.language.reader import Reader
from sop_engine.language.report import Place
from sop_engine.language.source import Map, Node, Text
from sop_engine.language.typed import called
from sop_engine.language.vocabulary import PROJECT


def read_settings(documents: Documents, reader: Reader) -> Settings | None:
    """The project's settings; a project without a `project` document is an error."""
    entry = documents.of("project").get("project")
    if entry is None:
        if not any(kind == "project" for kind, _ in documents.lost):
            sentence = "there is no 'project' document. Write one: 'project: NAME' with timezone, purchase and activity."
            reader.error(Place("playbooks", 1, 1), 202, sentence)
        return None
    values = reader.keys(entry.node, PROJECT, "a project")
    values["name"] = values.pop("project", "")
    if "timezone" in values:
        values["timezone"] = _zone(values["timezone"], reader)
    if "purchase" in values:
        values["purchase"] = _purchase(values["purchase"], reader)
    if "activity" in values:
        names = reader.names
        values["activity"] = tuple(dict.fromkeys(leaf for name in values["activity"] for leaf in names.leaves(name)))
    values["links"] = read_links(values["links"], reader) if "links" in values else None
    values["profiles"] = _profiles(values.get("profiles"), reader)
    values["profile"] = _profile(values.get("profile"), values["profiles"], reader)
    return _settings(values)


def check_on_reply(documents: Documents, reader: Reader) -> str:
    """The template of the task made when a user replies; asked when the templates are known."""
    entry = documents.of("project").get("project")
    node = entry.node.get("on_reply") if entry and isinstance(entry.node, Map) else None
    return (reader.name(node, "template") if node is not None else None) or ""


def _settings(values: dict[str, Any]) -> Settings:
    values.pop("note", None)
    values.pop("on_reply", None)
    fine = {key: value for key, value in values.items() if value is not None}
    return Settings(**{"timezone": "UTC", "salt": values["name"], **fine})


def _zone(node: Node, reader: Reader) -> str | None:
    text = reader.text(node)
    if text is None:
        return None
    try:
        zoneinfo.ZoneInfo(text)
    except (ValueError, KeyError, OSError):
        reader.error(node, 203, f"'{text}' is not a time zone. Write 'Asia/Shanghai' or another name of the tz database.")
        return None
    return text


def _purchase(node: Node, reader: Reader) -> tuple[str, str] | None:
    found = event_field(node, reader)
    if found is None:
        return None
    events, field = found
    if len(events) != 1:
        reader.error(node, 204, "a purchase is one kind of event, not a group.")
    elif field.type not in ("number", "any"):
        reader.error(node, 405, f"the money of a purchase is a number, but this is {called(field.type)}.")
    return events[0], field.name


def _profiles(node: Node | None, reader: Reader) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = reader.map(node, "'profiles'") if node is not None else None
    profiles = []
    for name, key, value in found or ():
        reader.new_name(key, "a profile")
        profiles.append((name, reader.many(value, lambda item: _fact(item, reader))))
    return tuple(profiles)


def _fact(node: Node, reader: Reader) -> str | None:
    names = reader.names
    text = normal(reader.text(node) or "")
    if names.knows("attribute", text) or names.knows("metric", text):
        return text
    if text:
        reader.error(node, 301, no_such("attribute or metric", text, [*names.listed("attribute"), *names.listed("metric")]))
    return None


def _profile(node: Node | None, profiles: tuple[tuple[str, tuple[str, ...]], ...], reader: Reader) -> str | None:
    if not isinstance(node, Text):
        return None
    if node.value not in dict(profiles):
        reader.error(node, 301, no_such("profile", node.value, dict(profiles)))
    return node.value
