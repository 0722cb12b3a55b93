"""Freezes a message as JSON, so that a repeat under its key says the very same; and takes the fingerprint of what it says."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from sop_engine.channels.contract import Message

_TIMES = ("now", "not_after", "due_at", "benefit_expires_at")
_PAIRS = ("vars", "attachments")
_FIELDS = tuple(f.name for f in fields(Message))
_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


def freeze(message: Message) -> dict[str, Any]:
    """The message as JSON."""
    return {name: _plain(getattr(message, name)) for name in _FIELDS}


def thaw(frozen: Mapping[str, Any]) -> Message:
    """The message that was frozen."""
    values = dict(frozen)
    for name in _TIMES:
        values[name] = datetime.fromisoformat(values[name]) if values.get(name) else None  # those of before know fewer times
    for name in _PAIRS:
        values[name] = tuple((key, value) for key, value in values[name])
    return Message(**values)


def fingerprint(message: Message) -> str:
    """A hash of the whole message: two of the same key must have the same."""
    return hashlib.sha256(_CANONICAL(freeze(message)).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return [list(pair) for pair in value] if isinstance(value, tuple) else value
