"""Remembers every name of a project while it is read: what it is, of which kind, and which are known although their document failed."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sop_engine.core.catalog import Field
from sop_engine.core.project import BUILT_IN_ATTRIBUTES, BUILT_IN_EVENTS, BUILT_IN_FIELDS, Project
from sop_engine.language.report import did_you_mean

RESERVED = frozenset(
    {
        "and", "or", "not", "in", "has", "is", "known", "unknown", "true", "false", "otherwise", "everyone", "required", "none", "unscored",
        "holdout", "now", "goal", "end", "start", "step", "event", "benefit", "link", "alert", "report", "variant", "id", "joined",
        "timezone", "locale", "actor", "source", "date", "hour", "weekday",
    }
)  # fmt: skip
ACTORS = ("user", "staff", "system")
EVENT_BASICS: Mapping[str, Field] = {
    "actor": Field("actor", "words", ACTORS),
    "source": Field("source", "text"),
    "date": Field("date", "date"),
    "hour": Field("hour", "number"),
    "weekday": Field("weekday", "number"),
}
WIDE = str.maketrans("：，（）【】｛｝“”", ':,()[]{}""')
_NAME = re.compile(r"[^\W\d]\w*")
_SHARED = ("attribute", "metric", "tier", "tag")
MOST_LISTED = 12


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name a condition may read. `kind`: number, text, flag, date, words, level, or any where it is not known."""

    space: str
    name: str
    kind: str
    words: tuple[str, ...] = ()


class AnyFields(dict[str, Field]):
    """The fields of an event of which nothing is known: whatever is asked for is there, of kind `any`."""

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> Field:
        return Field(name, "any")

    def get(self, name: str, default: object = None) -> Field:
        """A field of this name."""
        return Field(name, "any")


UNKNOWN_EVENT = "?"
"""Stands for a kind of event that could not be read."""


@dataclass
class Names:
    """Every name. Attributes, metrics, tags and tiers share `symbols`; `others` holds goals, channels, benefits and the like."""

    symbols: dict[str, Symbol] = field(default_factory=dict)
    events: dict[str, dict[str, Field]] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    others: dict[str, set[str]] = field(default_factory=dict)
    order: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        """Remember a name of a kind other than the shared four and events."""
        self.others.setdefault(kind, set()).add(name)
        self.order.setdefault(kind, []).append(name)

    def listed(self, kind: str) -> list[str]:
        """The names of a kind in file order; `fact` is everything the shared space holds."""
        if kind == "event":
            return [*self.events, *self.groups]
        if kind == "fact":
            return [n for space in _SHARED for n, s in self.symbols.items() if s.space == space]
        if kind in _SHARED:
            return [n for n, s in self.symbols.items() if s.space == kind]
        return self.order.get(kind, [])

    def knows(self, kind: str, name: str) -> bool:
        """Whether there is such a name."""
        if kind == "event":
            return name in self.events or name in self.groups
        if kind == "fact" or kind in _SHARED:
            symbol = self.symbols.get(name)
            return symbol is not None and (kind in ("fact", symbol.space) or symbol.space == "any")
        return name in self.others.get(kind, ())

    def leaves(self, name: str) -> tuple[str, ...]:
        """The kinds of events a name stands for."""
        return self.groups.get(name, (name,) if name in self.events else ())

    def models_with(self, level: str) -> list[str]:
        """Tiers that have such a level, in file order."""
        return [s.name for s in self.symbols.values() if s.kind == "level" and level in s.words]

    def common_fields(self, events: Iterable[str]) -> dict[str, Field]:
        """The fields all these kinds of events have, with what every event has; any field, where one of them is not known."""
        listed = tuple(events)
        if any(e not in self.events or e in self.others.get("lost event", ()) for e in listed):
            return AnyFields()
        kinds = [self.events[e] for e in listed]
        first: dict[str, Field] = kinds[0] if kinds else {}
        shared = {n: f for n, f in first.items() if all(n in k and k[n].type == f.type for k in kinds)}
        merged = {n: Field(n, f.type, tuple(dict.fromkeys(w for k in kinds for w in k[n].words))) for n, f in shared.items()}
        return merged | dict(EVENT_BASICS)


def normal(name: str) -> str:
    """The name as it is compared: Unicode normal form NFKC."""
    return name if name.isascii() else unicodedata.normalize("NFKC", name)


def is_name(text: str) -> bool:
    """Whether the text could be a name: letters, digits and _, not beginning with a digit."""
    return _NAME.fullmatch(text) is not None


def kind_of_type(type_: str) -> str:
    """The kind a condition sees for the type of an attribute or field."""
    return "text" if type_ in ("phone", "email") else type_


def no_such(what: str, word: str, names: Iterable[str]) -> str:
    """The sentence for a name that does not exist, with a close one, or the list where it is short."""
    listed = list(dict.fromkeys(names))
    narrow = word.translate(WIDE)
    if narrow != word:
        sign = next(c for c in word if c != c.translate(WIDE))
        return f"there is no {what} called '{word}'. The '{sign}' in it is full-width: write '{sign.translate(WIDE)}' and a space."
    tail = did_you_mean(word, listed)
    if " Did you mean" in tail:
        tail = tail.split(" It can be:")[0]
    elif len(listed) > MOST_LISTED:
        tail = ""
    return f"there is no {what} called '{word}'.{tail}"


def built_in_names() -> Names:
    """The names every project has."""
    names = Names()
    for name, type_ in BUILT_IN_ATTRIBUTES.items():
        names.symbols[name] = Symbol("attribute", name, type_)
    for event in BUILT_IN_EVENTS:
        names.events[event] = {f: Field(f, "text") for f in BUILT_IN_FIELDS}
    return names


def names_of(project: Project) -> Names:
    """The names of a project that is read already, for conditions that come from elsewhere."""
    names = built_in_names()
    names.events |= {e.name: dict(e.fields) for e in project.events.values()}
    names.groups = dict(project.groups)
    for a in project.attributes.values():
        names.symbols[a.name] = Symbol("attribute", a.name, kind_of_type(a.type), a.words)
    for m in project.metrics.values():
        names.symbols[m.name] = Symbol("metric", m.name, m.kind, m.words)
    for t in project.tags.values():
        names.symbols[t.name] = Symbol("tag", t.name, "flag")
    for tier in project.tiers.values():
        names.symbols[tier.name] = Symbol("tier", tier.name, "level", tier.level_names)
    return names
