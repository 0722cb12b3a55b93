"""What one call of the ingestion API says, checked and frozen; and what was refused of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

TYPES = ("identify", "track", "page", "screen", "group", "alias")
ANONYMOUS = "anonymous:"  # before the id of a visitor, where that is the key of a user
LONGEST_ID = 200
LONGEST_MESSAGE_ID = 100

REFUSALS: Mapping[str, str] = {
    "too_large": "more than 32 KB",
    "no_identity": "neither userId nor anonymousId (alias: both userId and previousId)",
    "no_event_name": "a track without the name of an event",
    "unknown_type": "none of identify, track, page, screen, group, alias",
    "not_object": "no JSON object",
    "future": "more than five minutes in the future",
    "own_event": "an event of the engine's own, from a key without the scope operate",
    "other_key": "the writeKey of another source",
    "failed": "the engine failed at it; the log says where",
}
"""Every reason for which an item is not stored."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item. `at` is when it happened by our clock; `name` of a track; `values` are traits or properties as they were sent."""

    type: str
    message_id: str  # empty: the client sent none
    at: datetime
    user_id: str = field(default="", repr=False)
    anonymous_id: str = field(default="", repr=False)
    previous_id: str = field(default="", repr=False)
    group_id: str = field(default="", repr=False)
    name: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    context: Mapping[str, Any] = field(default_factory=dict, repr=False)
    bad_timestamp: bool = False

    @property
    def user_key(self) -> str:
        """Whose item it is."""
        return self.user_id or ANONYMOUS + self.anonymous_id


@dataclass(frozen=True, slots=True)
class Refusal:
    """An item that is not stored: why, and what stood in it."""

    reason: str
    raw: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Dropped:
    """An item that was not meant for us."""
