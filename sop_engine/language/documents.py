"""Sorts the documents of all files into what they are: one thing by its first key, or collections of named entries."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sop_engine.language.approved import FILE as APPROVED_FILE
from sop_engine.language.names import normal
from sop_engine.language.reader import check_name
from sop_engine.language.report import Place, Report, did_you_mean
from sop_engine.language.source import Map, Node, Text
from sop_engine.language.vocabulary import COLLECTIONS, DOCUMENTS
from sop_engine.language.yaml_tree import Document, plain_lines, read_yaml

_SHARED = ("attributes", "metrics", "tags", "tier")
_SINGULAR = {
    "attributes": "an attribute", "identities": "an identity", "events": "an event", "metrics": "a metric", "tags": "a tag",
    "goals": "a goal", "calendars": "a calendar", "channels": "a channel", "benefits": "a benefit", "rules": "a rule",
    "alerts": "an alert", "reports": "a report", "tier": "a tier", "playbook": "a playbook", "blueprint": "a blueprint",
    "test": "a test", "project": "a project",
    "ingest": "a line of ingest",
}  # fmt: skip
_ENTRY = re.compile(r"^ +([^\W\d]\w*)[ ]*[:：]")
_TOP = re.compile(r"^([^\W\d]\w*)[ ]*[:：][ ]*(.*?)[ ]*(?:#.*)?$")


@dataclass(frozen=True)
class Entry:
    """Something with a name: an entry of a collection (`node` is its value) or a document (`node` is the whole map)."""

    name: str
    key: Text
    node: Node


@dataclass
class Documents:
    """Everything by kind and name, in file order. `lost` holds names of documents that could not be read."""

    kinds: dict[str, dict[str, Entry]] = field(default_factory=dict)
    lost: list[tuple[str, str]] = field(default_factory=list)
    twice: set[tuple[str, str]] = field(default_factory=set)  # names with two meanings: nothing more is said about them

    def of(self, kind: str) -> dict[str, Entry]:
        """The entries of a kind by name."""
        return self.kinds.get(kind, {})

    def lines(self, kind: str) -> list[Entry]:
        """The entries of a kind in file order."""
        return list(self.of(kind).values())


def read_documents(files: Mapping[str, str], report: Report) -> Documents:
    """Every document of every playbook file, in the order of the paths."""
    found = Documents()
    sorter = _Sorter(found, report)
    for file in sorted(files):
        if file == APPROVED_FILE:
            continue
        if file.endswith((".yml", ".yaml")):
            _read_file(file, files[file], sorter)
        elif file.endswith(".md"):
            match = re.search(r"^template: *(\S+)", files[file], re.MULTILINE)
            if match:
                found.lost.append(("template", normal(match[1].strip("\"'"))))
    return found


def _read_file(file: str, text: str, sorter: "_Sorter") -> None:
    if file.endswith(".yaml"):
        sorter.report.add(Place(file, 1, 1), 101, "files end in .yml here. Rename this one.")
        return
    for document in read_yaml(file, plain_lines(text), sorter.report):
        if document.failed:
            _remember_names(document, sorter.found)
        elif document.root is not None:
            sorter.sort(document.root)


def _remember_names(document: Document, found: Documents) -> None:
    """The names a document that cannot be read would have given, so that nothing is called missing because of it."""
    kind = ""
    for line in document.text.split("\n"):
        top, entry = _TOP.match(line), _ENTRY.match(line)
        if top and (top[1] in DOCUMENTS or top[1] in COLLECTIONS):
            kind = top[1]
            if kind in DOCUMENTS:
                found.lost.append((kind, normal(top[2].strip("\"'"))))
        elif entry and kind in COLLECTIONS:
            found.lost.append((kind, normal(entry[1])))


class _Sorter:
    def __init__(self, found: Documents, report: Report) -> None:
        self.found = found
        self.report = report
        self.shared: dict[str, tuple[str, Place]] = {}

    def sort(self, root: Node) -> None:
        """Sort one document."""
        if isinstance(root, Text) and root.plain and not root.value:
            return  # nothing between two ---
        if not isinstance(root, Map):
            wide = root.value.find("：") if isinstance(root, Text) else -1
            if isinstance(root, Text) and wide >= 0:
                self.report.add(root.at(wide), 102, "this is a full-width '：'. Write ': ' (half-width colon and a space).")
            else:
                self.report.add(root.place, 106, "a document begins with a key, such as 'playbook: 新客欢迎'.")
            return
        if not root.entries:
            return
        first = next(iter(root.entries))
        own = first if first in DOCUMENTS else next((k for k in root.entries if k in DOCUMENTS), "")
        if first in COLLECTIONS:
            self._collections(root)
        elif own:
            self._document(own, root)
        else:
            names = [*DOCUMENTS, *COLLECTIONS]
            self.report.add(root.key(first), 106, f"'{first}' cannot start a document.{did_you_mean(first, names)}")

    def _document(self, kind: str, root: Map) -> None:
        key, value = root.entries[kind]
        if kind != next(iter(root.entries)):
            self.report.add(key.place, 106, f"'{kind}' must be the first key of its document.")
        if kind == "template":
            self.report.add(key.place, 106, "a template is a file of its own: templates/NAME.md.")
            return
        if not isinstance(value, Text):
            self.report.add(value.place, 206, f"'{kind}' takes a name.")
            return
        named = kind in ("project", "test") or check_name(value, _SINGULAR[kind], self.report)
        name = normal(value.value) if kind != "project" else "project"
        if named:
            self._keep(kind, Entry(name, value, root))

    def _collections(self, root: Map) -> None:
        for name, key, value in root:
            if name in DOCUMENTS:
                self.report.add(key.place, 106, f"'{name}' begins a document of its own. Put '---' on the line before it.")
            elif name not in COLLECTIONS and name != "note":
                self.report.add(key.place, 106, f"'{name}' is not a collection.{did_you_mean(name, COLLECTIONS)}")
            elif name != "note" and isinstance(value, Map):
                self._entries(name, value)
            elif name != "note":
                self.report.add(value.place, 206, f"'{name}' is a map of names: write 'name: …' lines below it.")

    def _entries(self, kind: str, entries: Map) -> None:
        self.found.lost.extend((kind, failed) for failed in entries.failed)
        for name, key, value in entries:
            allowed = kind in ("identities", "rules", "ingest") or check_name(key, _SINGULAR[kind], self.report)
            if allowed:
                self._keep(kind, Entry(name, key, value))

    def _keep(self, kind: str, entry: Entry) -> None:
        space = self.shared if kind in _SHARED else {}
        kept = self.found.kinds.setdefault(kind, {})
        if entry.name in space:
            other, place = space[entry.name]
            self.report.add(entry.key.place, 302, f"'{entry.name}' exists already: it is {_SINGULAR[other]} in {place}.")
            self.found.twice |= {(kind, entry.name), (other, entry.name)}
        elif entry.name in kept:
            self.report.add(entry.key.place, 302, f"'{entry.name}' exists already, in {kept[entry.name].key.place}.")
            self.found.twice.add((kind, entry.name))
        else:
            kept[entry.name] = entry
            space[entry.name] = (kind, entry.key.place)
