"""Remembers where every key and value of a project is written, for messages that are found later."""

from collections.abc import Mapping

from sop_engine.language.documents import Documents
from sop_engine.language.report import Path, Place
from sop_engine.language.source import List, Map, Node


def places_of(documents: Documents, playbooks: Mapping[str, Map | None]) -> dict[Path, Place]:
    """The place of each value by its path, and of its key under the path with "@key".

    Paths are the kind of document or collection, the name, then keys and the numbers of list items. `playbooks` holds
    each playbook as it is read, with blueprints filled in.
    """
    found: dict[Path, Place] = {}
    for kind, entries in documents.kinds.items():
        for name, entry in entries.items():
            node = playbooks.get(name) or entry.node if kind == "playbook" else entry.node
            path = (kind, name)
            found[path] = entry.node.place if kind not in _DOCUMENTS else entry.key.place
            found[(*path, "@key")] = entry.key.place
            _inside(path, node, found)
    return found


_DOCUMENTS = ("project", "tier", "playbook", "blueprint", "test")


def _inside(path: Path, node: Node, found: dict[Path, Place]) -> None:
    if isinstance(node, List):
        for number, item in enumerate(node.items):
            found[(*path, str(number))] = item.place
            _inside((*path, str(number)), item, found)
    elif isinstance(node, Map):
        for name, key, value in node:
            found[(*path, name)] = value.place
            found[(*path, name, "@key")] = key.place
            _inside((*path, name), value, found)
