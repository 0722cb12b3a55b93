"""Reads the steps of a flow and checks each against the texts it sends."""

from dataclasses import dataclass
from typing import Any

from sop_engine.core.playbook import Choice, Step
from sop_engine.core.project import Project
from sop_engine.core.template import Template
from sop_engine.language.choices import Chooser, read_by, read_choice
from sop_engine.language.names import no_such, normal
from sop_engine.language.reader import Reader, check_name
from sop_engine.language.source import List, Map, Node, Text
from sop_engine.language.values import settings
from sop_engine.language.vocabulary import STEP

_WHENS = ("at", "after", "every")
_ACTS = ("send", "give", "void", "set")
LATE_DAY = 21


@dataclass(frozen=True)
class Around:
    """What the steps of one flow must know about it."""

    catalogue: Project
    variants: tuple[str, ...] = ()
    variants_failed: bool = False
    started_by: tuple[str, ...] = ()  # events that start the flow
    goal_events: tuple[str, ...] = ()
    no_benefit: bool = False
    silence: bool = False  # a win-back flow whose day 0 is its own start


def read_steps(node: Node, around: Around, reader: Reader) -> tuple[Step, ...]:
    """The steps in file order."""
    found = reader.map(node, "'steps'")
    if found is None:
        return ()
    if not found.entries and not found.failed:
        reader.error(found, 202, "a flow needs at least one step.")
    names = list(found.entries)
    return tuple(_OneStep(name, key, value, around, reader).read(names) for name, key, value in found)


def gives(node: Node | None) -> bool:
    """Whether any step of this `steps` value gives a benefit."""
    return isinstance(node, Map) and any(isinstance(v, Map) and v.has("give") for _, _, v in node)


class _OneStep:
    def __init__(self, name: str, key: Text, node: Node, around: Around, reader: Reader) -> None:
        self.name = name
        self.key = key
        self.node = node if isinstance(node, Map) else Map({}, node.place)
        self.around = around
        self.reader = reader
        self.values: dict[str, Any] = reader.keys(node, STEP, "a step")
        check_name(key, "a step", reader.report)

    def read(self, names: list[str]) -> Step:
        """The step, after its checks."""
        self._check_keys()
        by, words, failed = read_by(self.node.get("by"), self.reader)
        chooser = Chooser(self.around.variants, by, words, failed or (by is None and self.around.variants_failed))
        send, give = self._choice("send", "template", chooser), self._choice("give", "benefit", chooser)
        self._check_texts(send, give, chooser)
        when = self.node.get("when")
        return Step(
            self.name,
            at=self.values.get("at"),
            after=self.values.get("after"),
            every=self.values.get("every"),
            source=self._source(names),
            when=self.values.get("when"),
            by=by,
            send=send,
            give=give,
            void=self.values.get("void"),
            sets=settings(self.values.get("set"), self.reader, what="'set'", state_only=True),
            late=self.values.get("late"),
            place=str(self.key.place),
            when_place=str(when.place) if when else "",
        )

    def _check_keys(self) -> None:
        have = [key for key in _WHENS if self.node.has(key)]
        if len(have) != 1 and not self.node.failed:
            this = f"this has {' and '.join(have)}" if have else "this has none"
            if have or not self._misspelt():
                self.reader.error(self.key, 205, f"a step needs exactly one of at, after, every; {this}.")
        if not any(self.node.has(key) for key in _ACTS) and not self._misspelt():
            self.reader.error(self.key, 202, "a step needs something to do: send, give, void or set.")
        if self.node.has("by") and not any(isinstance(self.node.get(key), Map) for key in ("send", "give")):
            self.reader.error(self.node.key("by"), 616, "'by' is used only with a choice: send or give with a map of words.")
        if self.around.no_benefit and self.node.has("give"):
            self.reader.error(self.node.key("give"), 611, "this flow has 'no_benefit' and gives one.")
        at = self.values.get("at")
        if self.around.silence and at is not None and at.day >= LATE_DAY and not self.node.has("from"):
            self._warn_late(at.day)

    def _warn_late(self, day: int) -> None:
        sentence = (
            f"day {day} counts from the start of the flow. For {day} days of silence write 'anchor:' and a date, such as the last activity."
        )
        self.reader.report.warn(self.node.entries["at"][1].place, 701, sentence)

    def _misspelt(self) -> bool:
        return bool(self.node.failed) or any(key not in STEP for key in self.node.entries) or not self.node.entries

    def _choice(self, key: str, kind: str, chooser: Chooser) -> Choice | None:
        node = self.node.get(key)
        return read_choice(node, kind, chooser, self.reader) if node is not None else None

    def _source(self, names: list[str]) -> str | None:
        node = self.node.get("from")
        text = self.reader.text(node) if node is not None else None
        if node is None or text is None:
            return None
        name = normal(text)
        if name not in names:
            self.reader.error(node, 301, no_such("step", text, names))
        elif name == self.name:
            self.reader.error(node, 606, f"'{name}' is this step itself; 'from' names an earlier step.")
        elif names.index(name) > names.index(self.name):
            self.reader.error(node, 606, f"'{name}' comes later in the file; 'from' names an earlier step.")
        return name

    # --- the step against its texts

    def _check_texts(self, send: Choice | None, give: Choice | None, chooser: Chooser) -> None:
        node = self.node.get("send")
        if send is None or node is None:
            return
        fits = chooser.words if chooser.by else self.around.variants
        for key, _ in send.options:
            value = node.get(key) if key and isinstance(node, Map) else node
            for item in value.items if isinstance(value, List) else [value]:
                texts = self.around.catalogue.templates.get(normal(item.value), {}) if isinstance(item, Text) else {}
                if texts and isinstance(item, Text):
                    self._check_text(item, next(iter(texts.values())), [key] if key else list(fits), give)

    def _check_text(self, item: Text, template: Template, keys: list[str], give: Choice | None) -> None:
        used = [*(n for n, _ in template.variables if n in template.uses), *sorted(template.uses)]
        benefit = next((n for n in used if n.startswith("benefit.")), None)
        if benefit:
            self._check_given(item, benefit, keys, give)
        if "benefit.code" in used and give is not None:
            self._check_code(item, give)
        for name in dict.fromkeys(n for n in used if n.startswith("event.")):
            self._check_event(item, name)

    def _check_given(self, item: Text, name: str, keys: list[str], give: Choice | None) -> None:
        writes = f"template '{item.value}' writes '{name}', but this step gives no benefit"
        if give is None and not self.node.has("give"):
            self.reader.error(item, 504, f"{writes}.")
        elif give is not None and give.by:
            kind = "variant" if give.by == "variant" else "word"
            for missing in (k for k in keys if give.pick(k) is None):
                self.reader.error(item, 504, f"{writes} to {kind} '{missing}'.")

    def _check_code(self, item: Text, give: Choice) -> None:
        known = self.around.catalogue.benefits
        without = next((n for n in give.names() if n in known and known[n].holds == "entitlement"), None)
        if without is not None:
            self.reader.error(item, 504, f"template '{item.value}' writes 'benefit.code', but '{without}' is an entitlement and has none.")

    def _check_event(self, item: Text, name: str) -> None:
        at = self.values.get("at")
        at_goal = at is not None and at.kind == "goal"
        events = (*self.around.started_by, *(self.around.goal_events if at_goal else ()))
        writes = f"template '{item.value}' writes '{name}', but"
        if not events:
            self.reader.error(item, 506, f"{writes} this flow is not started by an event.")
            return
        field = name.removeprefix("event.")
        known = any(field in self.reader.names.common_fields((event,)) for event in events)
        if not known:
            self.reader.error(item, 506, f"{writes} {' or '.join(repr(e) for e in events)} has no field '{field}'.")
