"""Reads stories: tests written in the language, every line checked against the playbooks they are about."""

from dataclasses import dataclass
from typing import Any

from sop_engine.core.conditions import Value
from sop_engine.core.story import Story, StoryEvent, StoryLine
from sop_engine.language.documents import Documents, Entry
from sop_engine.language.names import no_such, normal
from sop_engine.language.playbooks import Playbooks, levels_of
from sop_engine.language.reader import Reader
from sop_engine.language.report import did_you_mean
from sop_engine.language.source import List, Map, Node
from sop_engine.language.values import event_values, settings
from sop_engine.language.vocabulary import ENDS
from sop_engine.language.vocabulary_of_stories import HISTORY, LINE, LINE_KINDS, SKIPS, START_REFUSALS, TEST

_EXPECTED = ("channel", "template", "benefit", "void", "text")
_WITH = {"times": ("event",), "with": ("event",), "because": ("skip",), **dict.fromkeys(_EXPECTED, ("expect",))}


@dataclass(frozen=True)
class _Shape:
    """What the playbooks of a story have. `complete` is false when one of them could not be read."""

    steps: tuple[tuple[str | None, str], ...]
    ends: tuple[str, ...]
    variants: tuple[str, ...]
    complete: bool

    def has_step(self, level: str | None, name: str) -> bool:
        """Whether there is such a step, in that level if one is given."""
        return not self.complete or any(name == n and level in (None, lv) for lv, n in self.steps)

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels the playbooks act on."""
        return tuple(dict.fromkeys(level for level, _ in self.steps if level))


def read_stories(documents: Documents, playbooks: Playbooks, reader: Reader) -> tuple[Story, ...]:
    """The stories in file order."""
    stories = (_story(entry, playbooks, reader) for entry in documents.lines("test"))
    return tuple(story for story in stories if story is not None)


def _story(entry: Entry, playbooks: Playbooks, reader: Reader) -> Story | None:
    values = reader.keys(entry.node, TEST, "a test")
    named = values.get("playbook", ())
    shape = _shape(named, playbooks)
    variant = _variant(values.get("variant"), shape, reader)
    given = settings(values.get("given"), reader, what="'given'")
    history = values.get("history")
    events = tuple(_history(item, reader) for item in _items(history, reader))
    lines = tuple(_line(item, shape, reader) for item in _items(values.get("story"), reader))
    if "day_0" not in values:
        return None
    day_0, minute = values["day_0"]
    return Story(
        entry.key.value,
        day_0,
        minute,
        tuple(line for line in lines if line is not None),
        playbooks=named,
        variant=variant,
        given=given,
        history=tuple(event for event in events if event is not None),
        place=str(entry.key.place),
    )


def _items(node: Node | None, reader: Reader) -> list[Node]:
    if node is None:
        return []
    if isinstance(node, List):
        return node.items
    reader.error(node, 206, "this is a list: write lines beginning with '- '.")
    return []


def _shape(named: tuple[str, ...], playbooks: Playbooks) -> _Shape:
    nodes = [playbooks.nodes.get(name) for name in named]
    written = [(level, node, whole) for whole in nodes if whole is not None for level, node in levels_of(whole)]
    return _Shape(
        steps=tuple((level, step) for level, node, _ in written for step in _keys(node.get("steps"))),
        ends=tuple(name for _, node, whole in written for name in _keys(node.get("exit") or whole.get("exit"))),
        variants=tuple(dict.fromkeys(v for _, node, whole in written for v in _keys(node.get("variants") or whole.get("variants")))),
        complete=bool(named) and None not in nodes,
    )


def _keys(node: Node | None) -> list[str]:
    return list(node.entries) if isinstance(node, Map) else []


def _variant(node: Node | None, shape: _Shape, reader: Reader) -> str | None:
    text = reader.text(node) if node is not None else None
    if node is None or text is None:
        return None
    name = normal(text)
    if name != "holdout" and name not in shape.variants and shape.complete:
        reader.error(node, 301, no_such("variant", text, shape.variants))
    return name


def _history(node: Node, reader: Reader) -> StoryEvent | None:
    return _event(reader.keys(node, HISTORY, "a line of the history"), reader)


def _event(values: dict[str, Any], reader: Reader) -> StoryEvent | None:
    name = values.get("event")
    if name is None or "at" not in values:
        event_values(values.get("with"), (), reader)
        return None
    day, minute = values["at"]
    fields = event_values(values.get("with"), reader.names.leaves(name), reader)
    return StoryEvent(day, minute, name, fields, values.get("times", 1))


def _line(node: Node, shape: _Shape, reader: Reader) -> StoryLine | None:
    values = reader.keys(node, LINE, "a line of a story")
    if not isinstance(node, Map):
        return None
    kinds = [kind for kind in LINE_KINDS if node.has(kind)]
    if len(kinds) != 1:
        this = f"this has {' and '.join(kinds)}" if kinds else "this has none"
        if kinds or all(key in LINE for key in node.entries):
            reader.error(node, 205, f"a line of a story needs exactly one of {', '.join(LINE_KINDS)}; {this}.")
        return None
    for key, partners in _WITH.items():
        if node.has(key) and kinds[0] not in partners:
            reader.error(node.key(key), 616, f"'{key}' is used only with '{partners[0]}'.")
    return _one_line(kinds[0], node, values, shape, reader)


def _one_line(kind: str, node: Map, values: dict[str, Any], shape: _Shape, reader: Reader) -> StoryLine | None:
    level, name, event = None, "", None
    sets: tuple[tuple[str, Value], ...] = ()
    match kind:
        case "event":
            event = _event(values, reader)
        case "set":
            sets = settings(values.get("set"), reader, what="'set'")
        case "expect" | "skip":
            level, name = _step(values.get(kind), kind, shape, reader)
        case "end":
            level, name = _end(values.get("end"), shape, reader)
    because = _because(node.get("because"), name, reader) if kind == "skip" else ""
    if "at" not in values:
        return None
    day, minute = values["at"]
    return StoryLine(
        kind,
        day,
        minute,
        place=str(node.place),
        event=event,
        sets=sets,
        check=values.get("check"),
        level=level,
        name=name,
        expected=tuple((key, values[key]) for key in _EXPECTED if key in values),
        because=because,
    )


def _split(node: Node | None, reader: Reader) -> tuple[str | None, str]:
    text = normal(reader.text(node) or "") if node is not None else ""
    level, slash, name = text.partition("/")
    return (level, name) if slash else (None, text)


def _step(node: Node | None, kind: str, shape: _Shape, reader: Reader) -> tuple[str | None, str]:
    level, name = _split(node, reader)
    if node is None or not name:
        return level, name
    if level is not None and shape.complete and level not in shape.levels:
        reader.error(node, 301, no_such("level", level, shape.levels))
    elif not (kind == "skip" and name == "start") and not shape.has_step(level, name) and shape.complete:
        reader.error(node, 301, no_such("step", name, [n for lv, n in shape.steps if level in (None, lv)]))
    return level, name


def _end(node: Node | None, shape: _Shape, reader: Reader) -> tuple[str | None, str]:
    level, name = _split(node, reader)
    if node is not None and name and shape.complete and name not in (*ENDS, *shape.ends):
        reader.error(node, 204, f"'{name}' is not possible here.{did_you_mean(name, [*shape.ends, *ENDS])}")
    return level, name


def _because(node: Node | None, name: str, reader: Reader) -> str:
    if node is None:
        return ""
    return reader.one_of(node, START_REFUSALS if name == "start" else SKIPS) or ""
