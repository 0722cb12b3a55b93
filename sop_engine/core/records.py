"""What an import or a call of the API says about one user or one event, checked and frozen; and what was refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sop_engine.core.conditions import Value

ACTORS = ("user", "staff", "system")


@dataclass(frozen=True, slots=True)
class UserRecord:
    """What is said about one user. `key` is the customer's own id; an attribute that is missing was not given."""

    key: str
    joined_at: datetime | None = None
    attributes: Mapping[str, Value | None] = field(default_factory=dict, repr=False)
    timezone: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that happened. `message_id` is unique within `source` for ever, so a repeat changes nothing."""

    message_id: str
    user_key: str
    event: str
    at: datetime
    fields: Mapping[str, Value] = field(default_factory=dict, repr=False)
    actor: str = "user"
    source: str = "import"
    touch_id: int = 0  # the message it is about, where that is known; not stored


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was refused: its line in the file (of Parquet its row), the column, why, and what stood there."""

    line: int
    reason: str
    raw: Mapping[str, object] = field(default_factory=dict, repr=False)
    column: str = ""
