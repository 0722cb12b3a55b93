"""The fingerprint of a flow: equal when what a running user would get is equal."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

from sop_engine.core.playbook import Flow
from sop_engine.core.project import Project


def fingerprint(flow: Flow, project: Project) -> str:
    """16 hex digits over the effective flow, its templates and its benefits; places and order in the files do not count."""
    templates = [project.templates.get(name) for step in flow.steps if step.send for name in step.send.names()]
    benefits = [project.benefits.get(name) for step in flow.steps if step.give for name in step.give.names()]
    text = repr(canonical((flow, templates, benefits)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def canonical(value: Any) -> Any:
    """The value as nested lists that print alike in every process; fields left out of comparison are left out."""
    if is_dataclass(value) and not isinstance(value, type):
        told = [f for f in fields(value) if f.compare and f.name != "order"]
        told = [f for f in told if not f.metadata.get("later") or getattr(value, f.name) != f.default]  # an upgrade changes no version
        return [type(value).__name__, *((f.name, canonical(getattr(value, f.name))) for f in told)]
    if isinstance(value, Mapping):
        return [[canonical(k), canonical(v)] for k, v in value.items()]
    if isinstance(value, frozenset | set):
        return sorted((canonical(v) for v in value), key=repr)
    if isinstance(value, list | tuple):
        return [canonical(v) for v in value]
    if isinstance(value, Decimal):
        return str(value.normalize())
    return value
