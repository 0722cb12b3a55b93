"""Reads what a project works with: tags, goals, calendars, channels and benefits."""

import re
from decimal import Decimal
from typing import Any

from sop_engine.core.catalog import Benefit, Calendar, Channel, Goal, Tag
from sop_engine.language import forms
from sop_engine.language.benefit_kinds import read_kind
from sop_engine.language.documents import Documents, Entry
from sop_engine.language.facts import event_field
from sop_engine.language.names import no_such, normal
from sop_engine.language.reader import Reader
from sop_engine.language.scopes import event_scope
from sop_engine.language.source import Map, Node, Text
from sop_engine.language.typed import called
from sop_engine.language.vocabulary import BENEFIT, CALENDAR, CHANNEL, GOAL, TAG


def read_tags(documents: Documents, reader: Reader) -> dict[str, Tag]:
    """The tags by name."""
    return {entry.name: _tag(entry, reader) for entry in documents.lines("tags")}


def _tag(entry: Entry, reader: Reader) -> Tag:
    values = reader.keys(entry.node, TAG, "a tag")
    node = entry.node if isinstance(entry.node, Map) else Map({}, entry.node.place)
    if node.has("when") and node.has("words"):
        reader.error(node.key("words"), 207, "'when' and 'words' cannot stand together: a tag has a rule or keywords.")
    for key, partner in (("except", "words"), ("in", "words"), ("words", "in")):
        if node.has(key) and not node.has(partner):
            reader.error(node.key(key), 616, f"'{key}' is used only with '{partner}'.")
    inside = event_field(values["in"], reader) if "in" in values else None
    if inside and inside[1].type not in ("text", "any"):
        reader.error(values["in"], 405, f"keywords are looked for in text, but this is {called(inside[1].type)}.")
    _check_patterns(node.get("words"), reader)
    _check_patterns(node.get("except"), reader)
    keeps = values.get("for")
    return Tag(
        entry.name,
        when=values.get("when"),
        words=values.get("words", ()),
        exceptions=values.get("except", ()),
        inside=(inside[0][0], inside[1].name) if inside and inside[0] else None,
        keeps=keeps.days if keeps else None,
        note=values.get("note", ""),
    )


def _check_patterns(node: Node | None, reader: Reader) -> None:
    items = getattr(node, "items", [node])
    for item in items:
        if isinstance(item, Text) and len(item.value) > 2 and item.value[0] == item.value[-1] == "/":
            try:
                pattern = re.compile(item.value[1:-1])
            except (re.error, OverflowError, RecursionError) as error:
                reader.error(item, 203, f"'{item.value}' is not a regular expression: {error}.")
                continue
            for group in pattern.groupindex:
                if not reader.names.knows("attribute", normal(group)):
                    reader.error(item, 301, no_such("attribute", group, reader.names.listed("attribute")))


def read_goals(documents: Documents, reader: Reader) -> dict[str, Goal]:
    """The goals by name."""
    found: dict[str, Goal] = {}
    for entry in documents.lines("goals"):
        goal = read_goal(entry.name, entry.node, reader)
        if goal is not None:
            found[entry.name] = goal
    return found


def read_goal(name: str, node: Node, reader: Reader) -> Goal | None:
    """A goal written out; `run` conditions may read what the reader's scope allows."""
    events = named_events(node, reader)
    values = reader.within(where=event_scope(reader.names, events)).keys(node, GOAL, "a goal")
    if not isinstance(node, Map):
        return None
    if node.has("event") == node.has("enter"):
        have = "this has both" if node.has("event") else "this has neither"
        reader.error(node, 205, f"a goal needs exactly one of event, enter; {have}.")
    if node.has("where") and not node.has("event"):
        reader.error(node.key("where"), 616, "'where' is used only with 'event'.")
    if "within" not in values:
        return None
    return Goal(name, values["within"], events, values.get("where"), values.get("enter"))


def named_events(node: Node | None, reader: Reader, key: str = "event") -> tuple[str, ...]:
    """The leaf kinds of the events a map names under `event`; unknown ones are left out and reported elsewhere."""
    value = node.get(key) if isinstance(node, Map) else None
    items = getattr(value, "items", [value])
    words = [normal(item.value) for item in items if isinstance(item, Text)]
    return tuple(dict.fromkeys(leaf for word in words for leaf in reader.names.leaves(word)))


def read_calendars(documents: Documents, reader: Reader) -> dict[str, Calendar]:
    """The calendars by name."""
    found = {}
    for entry in documents.lines("calendars"):
        values = reader.keys(entry.node, CALENDAR, "a calendar")
        weekend = frozenset(forms.WEEKDAYS.index(d) + 1 for d in values.get("weekend", ("sat", "sun")))
        holidays = frozenset(day for days in values.get("holidays", ()) for day in days)
        workdays = frozenset(day for days in values.get("workdays", ()) for day in days)
        found[entry.name] = Calendar(entry.name, weekend, holidays, workdays, values.get("until"))
    return found


def read_channels(documents: Documents, reader: Reader) -> dict[str, Channel]:
    """The channels by name."""
    found = {}
    for entry in documents.lines("channels"):
        values = reader.keys(entry.node, CHANNEL, "a channel")
        values.pop("note", None)
        found[entry.name] = Channel(entry.name, **{"via": "", **values})
    lost = (name for kind, name in documents.lost if kind == "channels")
    return {name: Channel(name, "") for name in lost} | found


def read_benefits(documents: Documents, reader: Reader) -> dict[str, Benefit]:
    """The benefits by name; `cost` is `worth` where that is a number and nothing else is said."""
    found = {}
    for entry in documents.lines("benefits"):
        values = reader.keys(entry.node, BENEFIT, "a benefit")
        values.pop("note", None)
        node = entry.node.get("if_empty") if isinstance(entry.node, Map) else None
        values["if_empty"] = _if_empty(node, entry, reader)
        _worth(values)
        read_kind(entry, values, reader)
        if all(key in values for key, k in BENEFIT.items() if k.required) and "pool" in values:
            found[entry.name] = Benefit(entry.name, **values)
    _check_circles(found, documents, reader)
    return found


def _worth(values: dict[str, Any]) -> None:
    amount = forms.MONEY.parse(values.get("worth", ""))
    if amount is not None:
        values["worth"] = amount
        values.setdefault("cost", amount)
    values.setdefault("cost", Decimal(0))


def _if_empty(node: Node | None, entry: Entry, reader: Reader) -> str | None:
    if node is None or (isinstance(node, Text) and node.value == "skip"):
        return None
    name = reader.name(node, "benefit")
    if name == entry.name:
        reader.error(node, 304, f"'{entry.name}' cannot stand in for itself. Write skip or another benefit.")
    return name


def _check_circles(found: dict[str, Benefit], documents: Documents, reader: Reader) -> None:
    for name, benefit in found.items():
        path, at = [name], benefit.if_empty
        while at in found and at not in path:
            path.append(at)
            at = found[at].if_empty
        if at == name and len(path) > 1:
            key = documents.of("benefits")[name].key
            reader.error(key, 304, f"'if_empty' goes in a circle: {' -> '.join([*path, name])}.")
