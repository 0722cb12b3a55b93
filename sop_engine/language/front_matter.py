"""Reads the front matter of a template: its keys with their forms, and where its text begins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sop_engine.language.forms import Form
from sop_engine.language.names import no_such, normal
from sop_engine.language.report import Place, Report, did_you_mean
from sop_engine.language.source import List, Map, Node, Text
from sop_engine.language.yaml_tree import plain_lines, read_yaml

KEYS = (
    "template",
    "channel",
    "purpose",
    "content_type",
    "locale",
    "variables",
    "links",
    "subject",
    "due",
    "note",
    "provider_template",
    "provider_vars",
    "attachments",
)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of text with its place: a subject, or the text below the front matter."""

    text: str
    file: str
    line: int = 1
    source: Text | None = None  # a value of the front matter

    def at(self, offset: int, length: int = 1) -> Place:
        """The place of a character of the text."""
        if self.source is not None:
            return self.source.at(offset, length)
        before = self.text[:offset]
        return Place(self.file, self.line + before.count("\n"), offset - before.rfind("\n"), length)


@dataclass
class FrontMatter:
    """The keys of one file and the text below them."""

    file: str
    root: Map
    body: Part
    report: Report
    meant: str = ""  # what was suggested for unknown keys

    def lost(self, key: str) -> bool:
        """Whether the key is there in some way, but could not be read (already reported)."""
        value = self.root.get(key)
        return key in self.root.failed or f"Did you mean '{key}'?" in self.meant or not (value is None or isinstance(value, Map))

    def place(self, key: str) -> Place:
        """Where the value of a key stands, else the key, else the beginning."""
        value = self.root.get(key)
        return value.place if value is not None else self.root.key(key)

    def text(self, key: str) -> str:
        """The single value of a key, empty where there is none."""
        value = self.value(key)
        return value.value if value else ""

    def value(self, key: str) -> Text | None:
        """The single value of a key; a list or map is reported."""
        return self.single(key, self.root.get(key))

    def single(self, key: str, value: Node | None) -> Text | None:
        """The value if it is a single one; a list or map is reported."""
        if value is None or isinstance(value, Text):
            return value
        self.report.add(value.place, 206, f"'{key}' takes one text, not a {'list' if isinstance(value, List) else 'map'}.")
        return None

    def pairs(self, key: str) -> list[tuple[Text, Text]]:
        """The pairs of a key that takes `name: text`."""
        value = self.root.get(key)
        if value is None:
            return []
        if not isinstance(value, Map):
            self.report.add(value.place, 206, f"'{key}' takes one 'name: text' on each line.")
            return []
        found = [(name, self.single(name.value, one)) for _, name, one in value]
        return [(name, one) for name, one in found if one is not None]

    def items(self, key: str) -> list[tuple[str, str]]:
        """The pairs of a key that takes a list of single `kind: address`."""
        value = self.root.get(key)
        if value is None:
            return []
        found: list[tuple[str, str]] = []
        for one in value.items if isinstance(value, List) else [value]:
            pairs = [(kind, text.value) for kind, _, text in one if isinstance(text, Text)] if isinstance(one, Map) else []
            if not isinstance(one, Map) or len(pairs) < len(one.entries):
                self.report.add(one.place, 206, f"'{key}' takes a list of 'kind: address', as in '- image: https://…'.")
            found += pairs
        return found

    def form(self, key: str, form: Form) -> Any:
        """The value of a key in this form, None where it is missing or does not fit."""
        value = self.value(key)
        if value is None:
            return None
        parsed = form.parse(value.value)
        if parsed is None:
            self.report.add(value.place, 203, f"'{value.value}' {form.sentence}")
        return parsed

    def one_of(self, key: str, words: Iterable[str]) -> str:
        """The value of a key if it is one of these words, else empty and reported."""
        value, listed = self.value(key), tuple(words)
        if value is None or not listed or normal(value.value) in listed:
            return normal(value.value) if value else ""
        tail = did_you_mean(value.value, listed)
        self.report.add(value.place, 204, f"'{value.value}' is not possible here.{tail}")
        return ""

    def name_of(self, key: str, what: str, known: Mapping[str, object]) -> str:
        """The value of a key if it is a known name of this kind, else empty and reported."""
        value = self.value(key)
        if value is None or normal(value.value) in known:
            return normal(value.value) if value else ""
        self.report.add(value.place, 301, no_such(what, value.value, known))
        return ""


def read_front_matter(file: str, text: str, report: Report) -> FrontMatter | None:
    """The keys of a template file, None where they cannot be read; wrong and missing keys are reported."""
    lines = plain_lines(text).split("\n")
    end = next((i for i, line in enumerate(lines) if i and line.rstrip() == "---"), None)
    if lines[0].rstrip() != "---" or end is None:
        where = "begins with a line '---', then keys, then a line '---', then the text"
        report.add(Place(file, 1, 1), 101, f"a template {where}. Write the missing '---'.")
        return None
    documents = read_yaml(file, "\n".join(lines[:end]), report)
    root = documents[0].root if documents else None
    if not isinstance(root, Map):
        if documents and not documents[0].failed:
            report.add(Place(file, 1, 1), 202, "the front matter is empty. A template needs template, channel, purpose.")
        return None
    body = Part("\n".join(lines[end + 1 :]).rstrip("\n"), file, end + 2)
    if not body.text.strip():
        report.add(Place(file, end + 1, 1, 3), 202, "a template needs a text below this line.")
    matter = FrontMatter(file, root, body, report)
    _check_keys(matter)
    return matter


def _check_keys(matter: FrontMatter) -> None:
    for name, key, _ in matter.root:
        if name not in KEYS:
            hint = did_you_mean(name, KEYS)
            matter.meant += hint
            matter.report.add(key.place, 201, f"'{name}' is not a key of a template.{hint}")
    purpose = matter.root.get("purpose")
    marketing = isinstance(purpose, Text) and purpose.value == "marketing"
    needed = {"template": "a", "channel": "a", "purpose": "a"} | ({"content_type": "a marketing"} if marketing else {})
    for wanted, kind in needed.items():
        if not matter.root.has(wanted) and not matter.lost(wanted):
            matter.report.add(matter.root.place, 202, f"{kind} template needs '{wanted}'.")
