"""Gathers every name before anything is checked, so that the order of files has no meaning."""

from sop_engine.core.catalog import Field
from sop_engine.language.documents import Documents, Entry
from sop_engine.language.names import Names, Symbol, built_in_names, kind_of_type, normal
from sop_engine.language.source import List, Map, Node, Text
from sop_engine.language.vocabulary import TYPES, VERBS

_KINDS = {
    "goals": "goal", "calendars": "calendar", "channels": "channel", "benefits": "benefit", "alerts": "alert", "reports": "report",
    "playbook": "playbook", "blueprint": "blueprint", "template": "template",
}  # fmt: skip
_SPACES = {"attributes": "attribute", "metrics": "metric", "tags": "tag", "tier": "tier"}
_OF_FIELD = ("most_common", "first", "last")


def declare(documents: Documents) -> Names:
    """Every name with its kind. Nothing is reported; what cannot be understood gets the kind `any`."""
    names = built_in_names()
    for kind, singular in _KINDS.items():
        for entry in documents.lines(kind):
            names.add(singular, entry.name)
    _events(documents, names)
    for entry in documents.lines("attributes"):
        type_, words = type_of(entry.node)
        names.symbols[entry.name] = Symbol("attribute", entry.name, kind_of_type(type_), words)
    for entry in documents.lines("tags"):
        names.symbols[entry.name] = Symbol("tag", entry.name, "flag")
    for entry in documents.lines("tier"):
        names.symbols[entry.name] = _tier(entry)
    for entry in documents.lines("metrics"):
        names.symbols[entry.name] = _metric(entry, names)
    _lost(documents, names)
    names.symbols |= {name: Symbol("any", name, "any") for kind, name in documents.twice if kind in _SPACES}
    return names


def type_of(node: Node) -> tuple[str, tuple[str, ...]]:
    """The type of an attribute or field with its words; `any` if it is none."""
    if isinstance(node, Map):
        inner = node.get("type")
        return type_of(inner) if inner is not None else ("any", ())
    if isinstance(node, List):
        return "words", tuple(normal(item.value) for item in node.items if isinstance(item, Text))
    return (node.value if node.value in TYPES else "any"), ()


def _lost(documents: Documents, names: Names) -> None:
    for kind, name in documents.lost:
        if kind in _SPACES:
            names.symbols.setdefault(name, Symbol(_SPACES[kind], name, "any"))
        elif kind == "events":
            names.events.setdefault(name, {})
            names.add("lost event", name)
        elif kind in _KINDS and not names.knows(_KINDS[kind], name):
            names.add(_KINDS[kind], name)


def _events(documents: Documents, names: Names) -> None:
    listed: dict[str, List] = {}
    for entry in documents.lines("events"):
        if isinstance(entry.node, Map):
            names.events[entry.name] = _fields(entry.node)
            if entry.node.failed:
                names.add("lost event", entry.name)
        elif isinstance(entry.node, List):
            listed[entry.name] = entry.node
        else:
            names.events[entry.name] = {}
    for name in listed:
        names.groups[name] = _leaves(name, names, listed)


def _fields(node: Map) -> dict[str, Field]:
    return {name: Field(name, *type_of(value)) for name, _, value in node if name not in ("where", "undone_by", "note")}


def _leaves(group: str, names: Names, listed: dict[str, List]) -> tuple[str, ...]:
    """The kinds of events in a group and the groups in it, each once, in the order they are written."""
    leaves: dict[str, None] = {}
    seen: set[str] = set()
    waiting = [group]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in listed:
            waiting += [normal(item.value) for item in reversed(listed[name].items) if isinstance(item, Text)]
        elif name in names.events:
            leaves[name] = None
    return tuple(leaves)


def _tier(entry: Entry) -> Symbol:
    levels = entry.node.get("levels") if isinstance(entry.node, Map) else None
    words = tuple(levels.entries) if isinstance(levels, Map) else ()
    return Symbol("tier", entry.name, "level", words)


def _metric(entry: Entry, names: Names) -> Symbol:
    node = entry.node
    verb = next((v for v in VERBS if v in node.entries), "") if isinstance(node, Map) else ""
    if not isinstance(node, Map) or not verb:
        return Symbol("metric", entry.name, "any")
    return Symbol("metric", entry.name, *metric_kind(verb, node, names))


def metric_kind(verb: str, node: Map, names: Names) -> tuple[str, tuple[str, ...]]:
    """The kind of a metric's result, with its words."""
    about = node.get(verb)
    if verb in _OF_FIELD:
        return _field_kind(verb, about, names)
    if verb in ("highest", "lowest", "grade"):
        called = _words(node.get("names"))
        if verb != "grade":
            return "words", called or _words(about)
        return ("words", called) if called else ("number", ())
    return "number", ()


def _field_kind(verb: str, about: Node | None, names: Names) -> tuple[str, tuple[str, ...]]:
    if not isinstance(about, Text) or "." not in about.value:
        return ("any" if verb == "most_common" else "date"), ()
    event, _, name = normal(about.value).partition(".")
    found = names.common_fields(names.leaves(event)).get(name)
    return (kind_of_type(found.type), found.words) if found else ("any", ())


def _words(node: Node | None) -> tuple[str, ...]:
    items = node.items if isinstance(node, List) else [node] if node is not None else []
    return tuple(normal(item.value) for item in items if isinstance(item, Text))
