"""Fills in blueprints: `use` with `with`, `$name` replaced, every value checked against its input."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sop_engine.language import forms
from sop_engine.language.documents import Documents, Entry
from sop_engine.language.names import no_such, normal
from sop_engine.language.reader import Key, Reader
from sop_engine.language.report import Place
from sop_engine.language.source import List, Map, Node, Text
from sop_engine.language.vocabulary import BLUEPRINT, FLOW, INPUT, NOT_SHARED, PLAYBOOK

_BLANK = re.compile(r"\$([^\W\d]\w*)")
_USE = re.compile(r"([^\W\d]\w*)@(\d+)")
_OWN = ("blueprint", "version", "inputs")
_RAW = PLAYBOOK["tier"].kind
_ARTICLES = {"text": "text", "event": "an event"}


@dataclass(frozen=True)
class Expanded:
    """A playbook made of a blueprint: its map, where `use` stands, and which lines are the blueprint's."""

    node: Map
    place: Place
    blueprint: str
    file: str
    first: int
    last: int

    def holds(self, file: str, line: int) -> bool:
        """Whether a line belongs to the blueprint."""
        return file == self.file and self.first <= line <= self.last


def check_blueprints(documents: Documents, reader: Reader) -> None:
    """Report what is wrong in blueprints whoever uses them: keys, inputs, blanks."""
    keys = {name: Key(_RAW) for name in BLUEPRINT if name not in ("playbook", "use", "with")} | {"version": BLUEPRINT["version"]}
    for entry in documents.lines("blueprint"):
        if not isinstance(entry.node, Map):
            continue
        reader.keys(entry.node, keys, "a blueprint")
        inputs = _inputs(entry.node)
        for name, node in inputs.items():
            values = reader.keys(node, INPUT, "an input")
            if "type" in values and "default" in values:
                _check_value(values["default"], values["type"], reader)
            reader.new_name(Text(name, node.place), "an input")
        for text in _texts(entry.node):
            for match in _BLANK.finditer(text.value):
                if _longest(match[1], inputs) is None:
                    reader.error(text.at(match.start(), len(match.group())), 301, no_such("input", match[1], inputs))


def expand(entry: Entry, documents: Documents, reader: Reader) -> Expanded | None:
    """The playbook that a blueprint gives with these inputs; None, reported, if something does not fit."""
    node = entry.node
    use = node.get("use") if isinstance(node, Map) else None
    if not isinstance(node, Map) or not isinstance(use, Text):
        return None
    fine = _check_beside(node, reader)
    blueprint = _blueprint(use, documents, reader)
    if blueprint is None or not isinstance(blueprint.node, Map):
        return None
    values = _values(node, blueprint, use, reader)
    if values is None or not fine:
        return None
    filled = {k: (key, _filled(value, values)) for k, key, value in blueprint.node if k not in _OWN}
    beside = {k: pair for k, pair in node.entries.items() if k not in ("use", "with")}
    lines = [text.place.line for text in _texts(blueprint.node)]
    first = blueprint.key.place
    whole = Map({**beside, **filled, **beside}, entry.key.place)
    return Expanded(whole, use.place, normal(use.value), first.file, first.line, max([first.line, *lines]))


def _check_beside(node: Map, reader: Reader) -> bool:
    allowed = ("playbook", "use", "with", *(k for k in FLOW if k not in NOT_SHARED))
    before = len(reader.report.problems)
    for name, key, _ in node:
        if name in PLAYBOOK and name not in allowed:
            reader.error(key, 207, f"'use' and '{name}' cannot stand together: '{name}' comes from the blueprint.")
    reader.keys(node, {name: Key(_RAW) for name in PLAYBOOK}, "a playbook")
    return len(reader.report.problems) == before


def _blueprint(use: Text, documents: Documents, reader: Reader) -> Entry | None:
    match = _USE.fullmatch(normal(use.value))
    if match is None:
        reader.error(use, 203, f"'{use.value}' is not a blueprint and its version. Write '流失召回@1'.")
        return None
    name = reader.name(Text(match[1], use.place), "blueprint")
    entry = documents.of("blueprint").get(name) if name else None
    version = entry.node.get("version") if entry and isinstance(entry.node, Map) else None
    if isinstance(version, Text) and version.value.isdigit() and version.value != match[2]:
        reader.error(use, 301, f"there is no version {match[2]} of '{name}'. Write '{name}@{version.value}'.")
        return None
    return entry


def _inputs(node: Map) -> dict[str, Map]:
    inputs = node.get("inputs")
    return {name: value for name, _, value in inputs if isinstance(value, Map)} if isinstance(inputs, Map) else {}


def _values(node: Map, blueprint: Entry, use: Text, reader: Reader) -> dict[str, Node] | None:
    """The value of every input, or None if one is missing or does not fit."""
    inputs = _inputs(blueprint.node) if isinstance(blueprint.node, Map) else {}
    given = node.get("with")
    found = reader.map(given, "'with'") if given is not None else Map({}, use.place)
    values: dict[str, Node] = {}
    guessed: set[str] = set()
    fine = found is not None
    for name, _, value in found or ():
        type_ = inputs[name].get("type") if name in inputs else None
        if name not in inputs:
            sentence = no_such("input", name, inputs)
            guessed |= {sentence.split("'")[3]} if "Did you mean" in sentence else set()
            reader.error(value, 301, sentence)
        fine = name in inputs and _check_value(value, type_.value if isinstance(type_, Text) else "text", reader) and fine
        values[name] = value
    for name, spec in inputs.items():
        default, type_ = spec.get("default"), spec.get("type")
        if name not in values and default is not None:
            values[name] = default
        elif name not in values:
            fine = False
            kind = type_.value if isinstance(type_, Text) else "text"
            if name not in guessed:
                reader.error(use, 202, f"'{blueprint.name}' needs '{name}' in 'with' ({_ARTICLES.get(kind, f'a {kind}')}).")
    return values if fine else None


def _check_value(node: Node, kind: str, reader: Reader) -> bool:
    checks: Mapping[str, Callable[[Node], Any]] = {
        "number": lambda n: reader.form(n, forms.NUMBER),
        "moment": lambda n: reader.form(n, forms.MOMENT),
        "level": lambda n: _level(n, reader),
        **{k: lambda n, k=k: reader.name(n, k) for k in ("template", "benefit", "event")},  # type: ignore[misc]
    }
    return checks.get(kind, reader.text)(node) is not None


def _level(node: Node, reader: Reader) -> str | None:
    text = reader.text(node)
    if text is None or reader.names.models_with(normal(text)):
        return text
    levels = [w for s in reader.names.symbols.values() if s.kind == "level" for w in s.words]
    reader.error(node, 301, no_such("level", text, levels))
    return None


def _filled(node: Node, values: Mapping[str, Node]) -> Node:
    match node:
        case Text():
            return _filled_text(node, values)
        case List():
            return List([_filled(item, values) for item in node.items], node.place)
    return Map({k: (key, _filled(value, values)) for k, key, value in node}, node.place, node.failed)


def _filled_text(text: Text, values: Mapping[str, Node]) -> Node:
    whole = _BLANK.fullmatch(text.value)
    if whole and whole[1] in values:
        return values[whole[1]]
    if "$" not in text.value:
        return text

    def replaced(match: re.Match[str]) -> str:
        name = _longest(match[1], values)
        value = values.get(name) if name else None
        return value.value + match[1][len(name or "") :] if isinstance(value, Text) else match.group()

    return Text(_BLANK.sub(replaced, text.value), text.place, "", text.plain)


def _longest(word: str, names: Mapping[str, Any]) -> str | None:
    """The longest input the word begins with: `$天数天` is `$天数` and 天."""
    return max((n for n in names if normal(word).startswith(n)), key=len, default=None)


def _texts(node: Node) -> Iterator[Text]:
    match node:
        case Text():
            yield node
        case List():
            for item in node.items:
                yield from _texts(item)
        case Map():
            for _, _, value in node:
                yield from _texts(value)
