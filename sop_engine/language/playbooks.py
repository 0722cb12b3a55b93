"""Reads playbooks of both forms into flows: one for each level of a tier, or a single one with its own start."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sop_engine.core.playbook import Flow, Playbook, Start
from sop_engine.core.project import Project
from sop_engine.language.blueprints import Expanded, expand
from sop_engine.language.documents import Documents, Entry
from sop_engine.language.flows import Written, read_flow, read_start
from sop_engine.language.reader import Key, Reader
from sop_engine.language.report import Report, did_you_mean
from sop_engine.language.source import Map, Node, Text
from sop_engine.language.steps import gives
from sop_engine.language.values import word_of
from sop_engine.language.vocabulary import FLOW, LEVEL, NOT_SHARED, PLAYBOOK

_TOGETHER = "'{a}' and '{b}' cannot stand together: a playbook either maps a tier's levels, or has one flow with 'start' and 'steps'."
_SHARED = tuple(key for key in FLOW if key not in NOT_SHARED and key != "note")
_FORM_1 = {name: Key(key.kind if name in ("owner", "note") else PLAYBOOK["tier"].kind) for name, key in FLOW.items()} | {
    name: PLAYBOOK[name] for name in ("playbook", "tier", "levels")
}
_FORM_2 = {"playbook": PLAYBOOK["playbook"], "start": Key(PLAYBOOK["start"].kind, required=True), **FLOW}


@dataclass
class Playbooks:
    """Everything read from playbooks. `nodes` holds each as it is read, blueprints filled in; None where it could not be."""

    playbooks: dict[str, Playbook] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    nodes: dict[str, Map | None] = field(default_factory=dict)


def read_playbooks(documents: Documents, catalogue: Project, reader: Reader) -> Playbooks:
    """The playbooks and their flows, in file order."""
    found = Playbooks()
    for entry in documents.lines("playbook"):
        if ("playbook", entry.name) in documents.twice:
            found.nodes[entry.name] = None
        if not isinstance(entry.node, Map):
            continue
        if not entry.node.has("use"):
            found.nodes.setdefault(entry.name, entry.node)
            _OnePlaybook(entry.name, entry.key, entry.node, catalogue, reader).read(found)
            continue
        expanded = expand(entry, documents, reader)
        found.nodes.setdefault(entry.name, expanded.node if expanded else None)
        if expanded:
            _read_expanded(entry, expanded, found, catalogue, reader)
    return found


def _read_expanded(entry: Entry, expanded: Expanded, found: Playbooks, catalogue: Project, reader: Reader) -> None:
    """Read a filled-in blueprint; messages about the blueprint's lines point at the use first."""
    apart = Report(reader.report.lines)
    one = _OnePlaybook(entry.name, entry.key, expanded.node, catalogue, replace(reader, report=apart), expanded.blueprint)
    one.read(found)
    known = {(p.file, p.line, p.column, p.code) for p in reader.report.problems}
    for problem in apart.problems:
        if (problem.file, problem.line, problem.column, problem.code) in known:
            continue  # said of the blueprint itself
        if expanded.holds(problem.file, problem.line):
            sentence = f"{problem.sentence} (in the blueprint, {problem.file}:{problem.line})"
            reader.report.add(expanded.place, int(problem.code[3:]), sentence, problem.severity)
        else:
            reader.report.problems.add(problem)


class _OnePlaybook:
    def __init__(self, name: str, key: Text, node: Map, catalogue: Project, reader: Reader, blueprint: str = "") -> None:
        self.name = name
        self.key = key
        self.node = node
        self.catalogue = catalogue
        self.reader = reader
        self.blueprint = blueprint

    def read(self, found: Playbooks) -> None:
        """Read the playbook and put it and its flows where they belong."""
        node = self.node
        first, second = ("start", "levels") if node.has("levels") else ("start", "tier")
        if node.has("start") and node.has(second):
            self.reader.error(node.key("start"), 207, _TOGETHER.format(a=first, b=second))
            return
        if node.has("levels") or node.has("tier"):
            flows, none = self._form_1(len(found.flows))
        elif node.has("start") or node.has("steps"):
            flows, none = self._form_2(len(found.flows)), ()
        else:
            self.reader.keys(node, {name: replace(key, required=False) for name, key in PLAYBOOK.items()}, "a playbook")
            if all(key in PLAYBOOK for key in node.entries):
                self.reader.error(self.key, 202, "a playbook needs 'start' and 'steps', or 'tier' and 'levels'.")
            return
        found.flows |= {flow.id: flow for flow in flows}
        found.playbooks[self.name] = Playbook(
            self.name,
            tuple(flow.id for flow in flows),
            tier=word_of(node.get("tier")),
            none=none,
            note=_text(node.get("note")),
            owner=_text(node.get("owner")),
            blueprint=self.blueprint,
            place=str(self.key.place),
        )

    # --- one flow

    def _form_2(self, order: int) -> list[Flow]:
        node = self.node.get("start")
        start = read_start(node, self.reader) if node is not None else None
        if start is not None and start.kind in ("every", "date") and not self.node.has("only"):
            sentence = "this goes to everybody. Say who with 'only', or write 'only: everyone' if that is meant."
            self.reader.error(self.node.key("start"), 605, sentence)
        written = Written(self.name, self.name, None, self.node, _FORM_2, "a playbook", str(self.key.place), order)
        flow = read_flow(written, start, self.catalogue, self.reader)
        return [flow] if flow else []

    # --- a flow for each level

    def _form_1(self, order: int) -> tuple[list[Flow], tuple[tuple[str, str], ...]]:
        node, reader = self.node, self.reader
        self._check_top()
        levels_node = node.get("levels")
        levels = reader.map(levels_node, "'levels'") if levels_node is not None else None
        tier_node = node.get("tier")
        tier = reader.name(tier_node, "tier") if tier_node is not None else None
        if levels is None:
            return [], ()
        if tier is not None:
            self._check_levels(tier, levels)
        flows: list[Flow] = []
        for name, key, value in levels:
            flow = self._level(name, key, value, order + len(flows))
            flows += [flow] if flow else []
        none = tuple((name, _text(value.get("none"))) for name, _, value in levels if isinstance(value, Map) and value.has("none"))
        return flows, none

    def _check_top(self) -> None:
        node, reader = self.node, self.reader
        inside = [key for key in NOT_SHARED if key != "start" and node.has(key)]
        for key in inside:
            reader.error(node.key(key), 207, f"'{key}' stands in a level, not beside 'levels'.")
        reader.keys(node, _FORM_1, "a playbook")
        for key in ("tier", "levels"):
            if not node.has(key):
                reader.error(self.key, 202, f"a playbook for the levels of a tier also needs '{key}'.")

    def _check_levels(self, tier: str, levels: Map) -> None:
        known = self.reader.names.symbols[tier].words
        guessed: set[str] = set()
        for name, key, _ in levels:
            if name not in known and name != "unscored" and known:
                tail = did_you_mean(name, known)
                guessed |= {tail.split("'")[1]} if "Did you mean" in tail else set()
                self.reader.error(key, 404, f"'{tier}' has no level '{name}'.{tail}")
        place = self.node.key("levels")
        for level in known:
            if not levels.has(level) and level not in guessed:
                sentence = f"'{tier}' has the level '{level}', but this playbook says nothing about it."
                self.reader.error(place, 601, f"{sentence} Write a flow for it, or 'none: reason'.")
        acting = sum(1 for _, _, value in levels if isinstance(value, Map) and not value.has("none"))
        most = self.catalogue.settings.max_levels
        if acting > most:
            sentence = f"this playbook acts on {acting} levels; at most {most} can be kept apart ('max_levels'). Roll levels up into fewer."
            self.reader.error(place, 603, sentence)

    def _level(self, name: str, key: Text, node: Node, order: int) -> Flow | None:
        found = self.reader.map(node, "a level")
        if found is None:
            return None
        if found.has("none"):
            other = next((k for k, _, _ in found if k not in ("none", "note")), None)
            if other:
                self.reader.error(found.key(other), 207, "a level with 'none' has nothing else.")
            return None
        if not found.has("no_benefit") and isinstance(found.get("steps"), Map) and not gives(found.get("steps")):
            self.reader.error(key, 602, f"'{name}' gives no benefit and does not say why. Add 'give' to a step, or 'no_benefit: reason'.")
        shared = {k: self.node.entries[k] for k in _SHARED if k in self.node.entries}
        merged = Map({**shared, **found.entries}, key.place, found.failed | (self.node.failed & set(_SHARED)))
        start = Start("level", tier=word_of(self.node.get("tier")), level=None if name == "unscored" else name)
        flow_id = f"{self.name}/{name}"
        written = Written(flow_id, self.name, name, merged, LEVEL, "a level", str(key.place), order)
        return read_flow(written, start, self.catalogue, self.reader)


def _text(node: Node | None) -> str:
    return node.value if isinstance(node, Text) else ""


def levels_of(node: Map) -> Iterator[tuple[str | None, Map]]:
    """Each flow of a playbook as it is written: the level (None in form 2) and its keys."""
    levels = node.get("levels")
    if not isinstance(levels, Map):
        yield None, node
        return
    for name, _, value in levels:
        if isinstance(value, Map):
            yield name, value
