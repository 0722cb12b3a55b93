"""Reads YAML into a tree with places: no anchors, aliases, tags, tabs, empty values or keys written twice."""

import re
import unicodedata
from dataclasses import dataclass

import yaml

from sop_engine.language.report import Place, Report
from sop_engine.language.source import List, Map, Node, Text

MOST_CHARACTERS = 2_000_000
MOST_NESTING = 30
_WIDE_COLON = re.compile(r"^[ ]*(?:- )?[\w.$@/%-]+[ ]*(：)")
_WIDE_COMMA = re.compile(r"[，、；][ ]*[\w]+[ ]*[:：]")
_FORBIDDEN = re.compile("[^\n -\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class Document:
    """One document of a file: its text with the number of its first line, and its tree unless it could not be read."""

    file: str
    line: int
    text: str
    root: Node | None = None
    failed: bool = False


def read_yaml(file: str, text: str, report: Report) -> list[Document]:
    """The documents of one file; whatever is wrong with the YAML goes into the report."""
    if len(text) > MOST_CHARACTERS:
        report.add(Place(file, 1, 1), 101, f"this file is too large: at most {MOST_CHARACTERS:,} characters. Split it into several files.")
        return []
    documents = _split(file, _without_tabs(file, text, report))
    for document in documents:
        _read(document, report)
    return documents


def plain_lines(text: str) -> str:
    """The text with `\\n` as its only line end and without a byte order mark."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\x85", " ").replace("\u2028", " ").replace("\u2029", " ")


def _without_tabs(file: str, text: str, report: Report) -> str:
    if "\t" in text:
        for number, line in enumerate(text.split("\n"), 1):
            if "\t" in line:
                report.add(Place(file, number, line.index("\t") + 1), 103, "this is a tab. Write spaces.")
    return text.replace("\t", " ")


def _split(file: str, text: str) -> list[Document]:
    """Each document by itself, so that a mistake in one hides nothing in the others."""
    documents: list[Document] = []
    lines = text.split("\n")
    start = 0
    for number, line in enumerate([*lines[1:], "---"], 1):
        if line == "---" or line.startswith("--- "):
            documents.append(Document(file, start + 1, "\n".join(lines[start:number])))
            start = number
    return documents


def _read(document: Document, report: Report) -> None:
    found = _FORBIDDEN.search(document.text)
    if found:
        before = document.text[: found.start()]
        place = Place(document.file, document.line + before.count("\n"), found.start() - before.rfind("\n"))
        report.add(place, 101, f"the character U+{ord(found.group()):04X} cannot be read. Delete it.")
        document.failed = True
        return
    apart = Report(report.lines)
    try:
        document.root = _Builder(document, apart).build()
    except yaml.YAMLError as error:
        document.failed = True
        apart.problems = {p for p in apart.problems if p.code not in ("SOP104", "SOP206")}  # they come of the same mistake
        _tell(document, error, apart)
    except _Refused:
        document.failed = True
    report.problems |= apart.problems


def _tell(document: Document, error: yaml.YAMLError, report: Report) -> None:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", "") or "it cannot be read")
    context = getattr(error, "context_mark", None)
    if context and mark and ("could not find expected ':'" in problem or ("',' or" in problem and context.line != mark.line)):
        mark = context
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if _wide_signs(document, line, report):
        return
    lines = document.text.split("\n")
    if "mapping values are not allowed" in problem and ": " not in lines[line][:column] and line > 0:
        line, column, problem = line - 1, len(lines[line - 1]) - len(lines[line - 1].lstrip()), "could not find expected ':'"
    report.add(Place(document.file, document.line + line, column + 1), 101, _sentence(problem))


def _wide_signs(document: Document, last: int, report: Report) -> bool:
    """Report full-width colons after keys, and a full-width comma before a key on the line that could not be read."""
    found = False
    lines = document.text.split("\n")
    for number, line in enumerate(lines[: last + 1]):
        match = _WIDE_COLON.match(line)
        if match:
            found = True
            _wide_colon(Place(document.file, document.line + number, match.start(1) + 1), report)
    comma = _WIDE_COMMA.search(lines[last]) if not found and last < len(lines) else None
    if comma:
        place = Place(document.file, document.line + last, comma.start() + 1)
        report.add(place, 102, f"this is a full-width '{comma[0][0]}'. Write ', ' (half-width comma and a space).")
    return found or comma is not None


def _wide_colon(place: Place, report: Report) -> None:
    report.add(place, 102, "this is a full-width '：'. Write ': ' (half-width colon and a space).")


def _sentence(problem: str) -> str:
    if "could not find expected ':'" in problem:
        return "this line is neither 'key: value' nor '- item'. Write ': ' after the key, and indent what belongs to the line above."
    if "mapping values are not allowed" in problem:
        return "there is a second ': ' here. Put the text in quotes, or begin a new line."
    if "unexpected end of stream" in problem:
        return "a quotation mark is opened and not closed."
    if "',' or" in problem:
        return "a bracket is opened and not closed, or a ',' is missing. Text with , ? # : [ ] { } inside brackets needs quotes."
    if "cannot start any token" in problem:
        return "this sign cannot begin a value. Put the text in quotes."
    if "did not find expected" in problem:
        return "the indentation does not fit the lines above, or a bracket is not closed."
    return f"this is not YAML: {problem}. Look for a missing quote, bracket or indentation."


def _empty(key: str) -> str:
    if key.endswith((")", '"')):
        return "a ',' inside { } or [ ] begins something new. Put the whole text in quotes '…'."
    return f"'{key}' has no value. Write one after ': ', or delete the line."


class _Refused(Exception):
    """The rest of the document is not read; the reason is reported."""


class _Builder:
    """Builds the tree from the parser's events; aliases are never followed and nesting is bounded."""

    def __init__(self, document: Document, report: Report) -> None:
        self.file = document.file
        self.first = document.line
        self.text = document.text
        self.report = report
        self.root: Node | None = None
        self.open: list[List | Map] = []
        self.keys: list[Text | None] = []  # the key that waits for its value, for every open map

    def build(self) -> Node | None:
        for event in yaml.parse(self.text, Loader=yaml.CSafeLoader):
            match event:
                case yaml.ScalarEvent():
                    self._refuse_marks(event)
                    self._put(self._text(event))
                case yaml.MappingStartEvent():
                    self._refuse_marks(event)
                    self._enter(Map({}, self._place(event)))
                case yaml.SequenceStartEvent():
                    self._refuse_marks(event)
                    self._enter(List([], self._place(event)))
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._leave()
                case yaml.AliasEvent():
                    self._refuse_alias(event)
        return self.root

    def _place(self, event: yaml.Event) -> Place:
        start, end = event.start_mark, event.end_mark
        assert start is not None and end is not None  # the parser always says where
        length = end.column - start.column if end.line == start.line else 1
        return Place(self.file, self.first + start.line, start.column + 1, max(1, length))

    def _text(self, event: yaml.ScalarEvent) -> Text:
        assert event.start_mark is not None and event.end_mark is not None
        raw = self.text[event.start_mark.index : event.end_mark.index]
        place = self._place(event)
        if not event.style and raw == event.value:
            return Text(event.value, place)
        return Text(event.value, place, raw, not event.style)

    def _refuse_marks(self, event: yaml.NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if event.anchor is not None:
            self.report.add(self._place(event), 105, "anchors (&) are not used here. Write the value out, or use a blueprint.")
        elif tag is not None:
            self.report.add(self._place(event), 105, "YAML tags (!) are not used here. Text that begins with '!' needs quotes.")

    def _refuse_alias(self, event: yaml.AliasEvent) -> None:
        self.report.add(self._place(event), 105, "aliases (*) are not used here. Write the value out, or use a blueprint.")
        if self.open and isinstance(self.open[-1], Map) and self.keys[-1] is not None:
            self._fail(self.open[-1])
        elif self.open and isinstance(self.open[-1], Map):
            raise _Refused

    def _enter(self, node: List | Map) -> None:
        if len(self.open) >= MOST_NESTING:
            self.report.add(node.place, 101, f"this is nested too deeply: at most {MOST_NESTING} levels.")
            raise _Refused
        if self.open and isinstance(self.open[-1], Map) and self.keys[-1] is None:
            self.report.add(node.place, 101, "a key is one word, not a list or map.")
            raise _Refused
        self.open.append(node)
        self.keys.append(None)

    def _leave(self) -> None:
        node = self.open.pop()
        self.keys.pop()
        self._put(node)

    def _put(self, node: Node) -> None:
        if not self.open:
            self.root = node
            return
        into = self.open[-1]
        if isinstance(into, List):
            self._put_item(into, node)
        elif self.keys[-1] is None:
            assert isinstance(node, Text)  # other keys are refused in _enter
            self.keys[-1] = Text(unicodedata.normalize("NFKC", node.value), node.place, node.raw or node.value, node.plain)
        else:
            self._put_value(into, self.keys[-1], node)

    def _put_item(self, into: List, node: Node) -> None:
        if isinstance(node, Text) and node.plain and not node.value:
            self.report.add(node.place, 206, "this item is empty. Write a value after '-', or delete it.")
            return
        into.items.append(node)

    def _put_value(self, into: Map, key: Text, node: Node) -> None:
        wide = key.raw.find("：") if key.plain else -1
        if wide >= 0:
            _wide_colon(Place(key.place.file, key.place.line, key.place.column + wide), self.report)
            self._fail(into)
        elif isinstance(node, Text) and node.plain and not node.value:
            self.report.add(key.place, 206, _empty(key.value))
            self._fail(into)
        elif key.value in into.entries:
            first = into.entries[key.value][0].place.line
            self.report.add(key.place, 104, f"'{key.value}' is written twice; the first is on line {first}.")
        else:
            into.entries[key.value] = (key, node)
        self.keys[-1] = None

    def _fail(self, into: Map) -> None:
        key = self.keys[-1]
        if key is not None:
            into.failed.add(key.value.split(":")[0].strip())
        self.keys[-1] = None
