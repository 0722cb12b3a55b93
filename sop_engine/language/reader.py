"""Reads one value or one map after the tables of keys; what does not fit is said with its place."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sop_engine.core.conditions import Always, Condition
from sop_engine.language.conditions import parse_condition
from sop_engine.language.forms import Form
from sop_engine.language.names import RESERVED, WIDE, Names, is_name, no_such, normal
from sop_engine.language.report import Place, Report, did_you_mean
from sop_engine.language.scopes import Scope, user_scope
from sop_engine.language.source import List, Map, Node, Text


@dataclass(frozen=True)
class Kind:
    """What a key holds: how it is read (None: it does not fit, and that is reported) and its JSON schema."""

    read: Callable[["Reader", Node], Any]
    schema: Mapping[str, Any] = field(default_factory=dict)
    listed: str = ""  # names of this kind, for the schema


@dataclass(frozen=True)
class Key:
    """One key of a map."""

    kind: Kind
    required: bool = False
    note: str = ""


Keys = Mapping[str, Key]


@dataclass(frozen=True)
class Reader:
    """Reads values; `scopes` says what the conditions of each slot (`user`, `where`, `flow`, `run`) may read."""

    names: Names
    report: Report
    scopes: Mapping[str, Scope] = field(default_factory=dict)

    def within(self, **scopes: Scope) -> "Reader":
        """The same reader with other scopes for some slots."""
        return replace(self, scopes={**self.scopes, **scopes})

    def error(self, node: Node | Place, code: int, sentence: str) -> None:
        """Report a mistake at a value or place."""
        self.report.add(node if isinstance(node, Place) else node.place, code, sentence)

    def text(self, node: Node) -> str | None:
        """A single value as text."""
        if isinstance(node, Text):
            return node.value
        self.error(node, 206, f"this must be one value, not {'a list' if isinstance(node, List) else 'a map'}.")
        return None

    def form(self, node: Node, form: Form) -> Any:
        """A single value of a fixed form."""
        text = self.text(node)
        if text is None:
            return None
        value = form.parse(text)
        if value is None:
            self._not_of_form(node, text, form)
        return value

    def _not_of_form(self, node: Node, text: str, form: Form) -> None:
        narrow = normal(text).translate(WIDE)
        if narrow != text and form.parse(narrow) is not None:
            self.error(node, 203, f"'{text}' has full-width signs. Write '{narrow}'.")
        else:
            self.error(node, 203, f"'{text}' {form.sentence}")

    def one_of(self, node: Node, words: Collection[str]) -> str | None:
        """A single value out of a fixed list."""
        text = self.text(node)
        if text is None or text in words:
            return text
        self.error(node, 204, f"'{text}' is not possible here.{did_you_mean(text, words)}")
        return None

    def name(self, node: Node, kind: str, *, what: str = "") -> str | None:
        """A single value that is the name of something that exists."""
        text = self.text(node)
        if text is None:
            return None
        name = normal(text)
        if self.names.knows(kind, name):
            return name
        self.error(node, 301, no_such(what or kind, text, self.names.listed(kind)))
        return None

    def condition(self, node: Node, slot: str) -> Condition | None:
        """A condition; `everyone` is one that always holds."""
        if not isinstance(node, Text):
            self.error(node, 206, "this must be a condition in one line, such as '累计订单数 > 0'.")
            return None
        if node.value == "everyone":
            return Always()
        scope = self.scopes.get(slot) or user_scope(self.names)
        if scope.fields is not None and not scope.events:
            return None  # which events is wrong already, so nothing is known of their fields
        return parse_condition(node, scope, self.report)

    def many(self, node: Node, read: Callable[[Node], Any]) -> tuple[Any, ...]:
        """One value, or a list of them; what does not fit is left out."""
        items = node.items if isinstance(node, List) else [node]
        return tuple(v for v in map(read, items) if v is not None)

    def map(self, node: Node, what: str) -> Map | None:
        """A map of keys and values."""
        if isinstance(node, Map):
            return node
        self.error(node, 206, f"{what} must be a map: write 'key: value' lines below it, or {{key: value}}.")
        return None

    def keys(self, node: Node, keys: Keys, what: str) -> dict[str, Any]:
        """The values of a map by key, those that fit; unknown and missing keys are reported."""
        found = self.map(node, what)
        if found is None:
            return {}
        values: dict[str, Any] = {}
        guessed: set[str] = set()
        for name, key, value in found:
            if name not in keys:
                guessed.add(self._unknown_key(name, key, keys, what))
                continue
            read = keys[name].kind.read(self, value)
            if read is not None:
                values[name] = read
        for name, key_ in keys.items():
            if key_.required and not found.has(name) and name not in guessed:
                self.error(found.place, 202, f"{what} needs '{name}'.")
        return values

    def _unknown_key(self, name: str, key: Text, keys: Keys, what: str) -> str:
        tail = did_you_mean(name, keys)
        if name in DOCUMENT_WORDS:
            self.error(key.place, 106, f"'{name}' begins a document of its own. Put '---' on the line before it.")
        else:
            self.error(key.place, 201, f"'{name}' is not a key of {what}.{tail}")
        return tail.split("'")[1] if "Did you mean" in tail else ""

    def new_name(self, key: Text, what: str) -> str:
        """A name that is given here: reported if it is reserved or not a name."""
        check_name(key, what, self.report)
        return normal(key.value)


DOCUMENT_WORDS: set[str] = {
    "project", "playbook", "blueprint", "test", "template", "attributes", "identities", "metrics", "tags", "goals", "calendars", "channels",
    "benefits", "rules", "alerts", "reports", "ingest",
}  # fmt: skip


def check_name(key: Text, what: str, report: Report) -> bool:
    """Whether the text can be a name; otherwise it is reported."""
    name = normal(key.value)
    if name in RESERVED:
        report.add(key.place, 303, f"'{name}' is a word of the language and cannot be {what}. Choose another name.")
        return False
    if not is_name(name):
        sentence = f"'{key.value}' cannot be {what}: a name has letters, digits and '_' and does not begin with a digit."
        report.add(key.place, 303, sentence)
        return False
    return True
