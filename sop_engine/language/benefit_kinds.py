"""Reads what kind a benefit is, and holds each kind to the keys it needs: a pool, a public code, attributes, or a provider."""

from collections.abc import Mapping
from typing import Any

from sop_engine.language.documents import Entry
from sop_engine.language.reader import Reader
from sop_engine.language.source import Map
from sop_engine.language.values import settings
from sop_engine.language.vocabulary import BENEFIT

OWN_KEYS: Mapping[str, str] = {"shared": "code", "entitlement": "set", "external": "provider"}
"""The key that only this kind has, and cannot do without."""
NO_POOL = ("shared", "entitlement")
MOST_SIGNS = 100


def read_kind(entry: Entry, values: dict[str, Any], reader: Reader) -> None:
    """Read `set`, and report keys that are missing for this kind or belong to another; what has no pool is its own."""
    node, kind = entry.node, values.get("kind", "")
    if not isinstance(node, Map):
        return
    attributes = settings(node.get("set"), reader, what="'set'", state_only=True)
    values.pop("set", None)
    for key, name in ((node.key("set"), name) for name, _ in attributes if reader.names.symbols[name].space != "attribute"):
        reader.error(key, 204, f"'{name}' is a tag, which ends by its own 'for'. An entitlement sets attributes.")
    if attributes:
        values["sets"] = attributes
    own = OWN_KEYS.get(kind)
    if own is not None and not node.has(own):
        reader.error(entry.key, 616, f"'kind: {kind}' needs '{own}'.")
    for other, needed in OWN_KEYS.items():
        if needed != own and node.has(needed):
            reader.error(node.key(needed), 616, f"'{needed}' needs 'kind: {other}'.")
    _pool(entry, node, kind, values, reader)
    if len(values.get("code", "")) > MOST_SIGNS:
        reader.error(node.key("code"), 203, f"a code has at most {MOST_SIGNS} characters.")


def _pool(entry: Entry, node: Map, kind: str, values: dict[str, Any], reader: Reader) -> None:
    if kind in NO_POOL:
        if node.has("pool"):
            reader.error(node.key("pool"), 616, f"'kind: {kind}' has no stock of codes. Leave out 'pool', or write another kind.")
        values["pool"] = entry.name
    elif not node.has("pool") and all(key in BENEFIT for key in node.entries):  # a misspelt one has been reported
        reader.error(node.place, 202, "a benefit needs 'pool'.")
