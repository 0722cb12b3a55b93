"""Reads tier models: levels in the order they are asked, ladder, marks, and what keeps a user in a level."""

from sop_engine.core.conditions import Always, Condition
from sop_engine.core.tiers import Level, Tier
from sop_engine.language.documents import Documents, Entry
from sop_engine.language.names import no_such, normal
from sop_engine.language.reader import Reader
from sop_engine.language.source import List, Map, Node, Text
from sop_engine.language.vocabulary import TIER


def read_tiers(documents: Documents, reader: Reader) -> dict[str, Tier]:
    """The tier models by name."""
    found: dict[str, Tier] = {}
    for entry in documents.lines("tier"):
        tier = _tier(entry, reader)
        if tier is not None:
            found[entry.name] = tier
    return found


def _tier(entry: Entry, reader: Reader) -> Tier | None:
    values = reader.keys(entry.node, TIER, "a tier")
    node = reader.map(values["levels"], "'levels'") if "levels" in values else None
    if node is None or not isinstance(entry.node, Map):
        return None
    if not node.entries:
        reader.error(node, 202, "a tier needs at least one level.")
    rules = _rules(node, reader)
    names = tuple(rules)
    keep = _keep(entry.node.get("keep"), names, reader)
    marks = _marks(entry.node.get("mark"), names, reader)
    min_stay, min_window = values.get("min_stay"), values.get("min_window")
    return Tier(
        entry.name,
        tuple(Level(n, rule or Always(False), keep.get(n), marks.get(n, "")) for n, rule in rules.items()),
        ladder=_ladder(entry.node.get("ladder"), names, reader),
        only=values.get("only"),
        min_stay=min_stay.days if min_stay else 0,
        min_window=min_window.days if min_window else None,
        note=values.get("note", ""),
        places={n: str(key.place) for n, key, _ in node},
    )


def _rules(node: Map, reader: Reader) -> dict[str, Condition | None]:
    rules: dict[str, Condition | None] = {}
    for i, (name, key, value) in enumerate(node):
        reader.new_name(key, "a level")
        if not isinstance(value, Text) or value.value != "otherwise":
            rules[name] = reader.condition(value, "user")
            continue
        rules[name] = Always()
        below = len(node.entries) - i - 1
        if below:
            reader.error(value, 609, f"'otherwise' must be the last rule; the {below} below it would never be asked.")
    return rules


def _ladder(node: Node | None, names: tuple[str, ...], reader: Reader) -> tuple[str, ...]:
    if node is None:
        return names
    if isinstance(node, Text) and node.value == "none":
        return ()
    ladder = tuple(normal(word) for word in reader.many(node, reader.text))
    if not isinstance(node, List) or sorted(ladder) != sorted(names):
        reader.error(node, 614, f"'ladder' must name every level once: {', '.join(names)}.")
    return ladder


def _keep(node: Node | None, names: tuple[str, ...], reader: Reader) -> dict[str, Condition | None]:
    found = reader.map(node, "'keep'") if node is not None else None
    kept: dict[str, Condition | None] = {}
    for name, _, value in found or ():
        if name not in names:
            reader.error(value, 301, no_such("level", name, names))
        kept[name] = reader.condition(value, "user")
    return kept


def _marks(node: Node | None, names: tuple[str, ...], reader: Reader) -> dict[str, str]:
    found = reader.map(node, "'mark'") if node is not None else None
    marks: dict[str, str] = {}
    for name, key, value in found or ():
        if name not in names:
            reader.error(key, 301, no_such("level", name, names))
        marks[name] = reader.one_of(value, ("new", "silent")) or ""
    return marks
