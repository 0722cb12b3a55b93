"""Says the keys, forms and names of a project as a JSON Schema, so that editors complete and check while one writes."""

from collections.abc import Mapping
from typing import Any

from sop_engine.core.project import Project
from sop_engine.language.names import Names, built_in_names, names_of
from sop_engine.language.reader import Key, Keys, Kind
from sop_engine.language.vocabulary import (
    ALERT,
    ATTRIBUTE,
    BENEFIT,
    BLUEPRINT,
    CALENDAR,
    CHANNEL,
    EXPERIMENT,
    GOAL,
    INGEST,
    INGEST_IDENTIFY,
    INPUT,
    LEVEL,
    LINKS,
    METRIC,
    PLAYBOOK,
    PROJECT,
    REPORT,
    RULE,
    START,
    STEP,
    TAG,
    TIER,
    TYPES,
)
from sop_engine.language.vocabulary_of_stories import HISTORY, LINE, TEST

Schema = dict[str, Any]
_DOCUMENTS = {"project": PROJECT, "tier": TIER, "playbook": PLAYBOOK, "blueprint": BLUEPRINT, "test": TEST}
_COLLECTIONS = {
    "metrics": METRIC, "tags": TAG, "goals": GOAL, "calendars": CALENDAR, "channels": CHANNEL, "benefits": BENEFIT, "alerts": ALERT,
    "reports": REPORT,
}  # fmt: skip
_TABLES = {
    "level": LEVEL, "step": STEP, "start": START, "experiment": EXPERIMENT, "goal": GOAL, "line": LINE, "past": HISTORY, "input": INPUT,
    "links": LINKS,
}  # fmt: skip
_TEXT: Schema = {"type": ["string", "number", "boolean"]}


def json_schema(project: Project | None) -> Schema:
    """The JSON Schema (2020-12) of a playbook file; with a project its names are the values that complete."""
    writer = _Writer(names_of(project) if project else built_in_names(), project)
    documents = [
        {"if": {"required": [kind]}, "then": writer.closed(keys, required=(kind,), whole=kind != "playbook")}
        for kind, keys in _DOCUMENTS.items()
    ]
    types: Schema = {"anyOf": [{"enum": list(TYPES)}, {"type": "array", "items": _TEXT}]}
    collections: Schema = {kind: _named(writer.closed(keys)) for kind, keys in _COLLECTIONS.items()} | {
        "attributes": _named({"anyOf": [*types["anyOf"], writer.closed(ATTRIBUTE)]}),
        "identities": _named({"enum": ["public", "private"]}),
        "events": _named({"type": ["object", "array"]}),
        "ingest": _named({"anyOf": [writer.names_of_events(), writer.closed(INGEST), writer.closed(INGEST_IDENTIFY)]}),
        "rules": _named(writer.closed(RULE)),
        "note": _TEXT,
    }
    others = {"not": {"anyOf": [{"required": [kind]} for kind in _DOCUMENTS]}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "allOf": [*documents, {"if": others, "then": _object(collections)}],
        "$defs": {name: writer.closed(keys, whole=name not in ("level", "line", "past")) for name, keys in _TABLES.items()},
    }


def _object(properties: Mapping[str, Any], required: tuple[str, ...] = ()) -> Schema:
    found: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return found | ({"required": list(required)} if required else {})


def _named(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


class _Writer:
    def __init__(self, names: Names, project: Project | None) -> None:
        self.names = names
        self.project = project

    def closed(self, keys: Keys, *, required: tuple[str, ...] = (), whole: bool = True) -> Schema:
        """A map with these keys and no others; `whole`: what is required must be there."""
        needed = (*required, *(name for name, key in keys.items() if key.required and whole and name not in required))
        return _object({name: self._key(name, key) for name, key in keys.items()}, needed)

    def _key(self, name: str, key: Key) -> Schema:
        schema = self._structure(name, key.kind) or self._kind(key.kind)
        return schema | ({"description": key.note} if key.note else {})

    def _kind(self, kind: Kind) -> Schema:
        if not kind.listed:
            return dict(kind.schema)
        one = self._names(kind.listed)
        return {"anyOf": [one, {"type": "array", "items": one}]} if "anyOf" in kind.schema else one

    def names_of_events(self) -> Schema:
        """One event."""
        return self._names("event")

    def _names(self, kind: str) -> Schema:
        listed = self._listed(kind)
        return {"enum": listed} if listed else {"type": "string"}

    def _listed(self, kind: str) -> list[str]:
        shelves = {"template": "templates", "benefit": "benefits", "goal": "goals", "channel": "channels", "calendar": "calendars"}
        if kind in shelves or kind == "playbook":
            return list(getattr(self.project, shelves.get(kind, "playbooks"), {}))
        return self.names.listed(kind)

    def _structure(self, name: str, kind: Kind) -> Schema:
        """The schema of a key that holds maps or lists of its own; empty where the kind says it all."""
        if kind.schema or kind.listed:
            return {}
        inner = {"steps": "step", "levels": "level", "inputs": "input"}
        whole = {"start": "start", "experiment": "experiment", "links": "links"}
        lists = {"story": "line", "history": "past"}
        if name in inner:
            return {"type": "object", "additionalProperties": {"anyOf": [{"$ref": f"#/$defs/{inner[name]}"}, _TEXT]}}
        if name in whole:
            return {"$ref": f"#/$defs/{whole[name]}"}
        if name in lists:
            return {"type": "array", "items": {"$ref": f"#/$defs/{lists[name]}"}}
        return self._choice(name)

    def _choice(self, name: str) -> Schema:
        if name == "goal":
            return {"anyOf": [self._names("goal"), {"$ref": "#/$defs/goal"}]}
        if name in ("send", "give"):
            one = self._names("template" if name == "send" else "benefit")
            several = {"anyOf": [one, {"type": "array", "items": one}]}
            return {"anyOf": [*several["anyOf"], {"type": "object", "additionalProperties": several}]}
        return {}
