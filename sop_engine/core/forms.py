"""The fixed forms a value of the language can have: lengths, moments, schedules, hours, limits."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Length:
    """A length of time: calendar days (`30d`) or an exact length (`10m`, `48h`). Exactly one of the two is set."""

    days: int | None = None
    exact: timedelta | None = None

    def __str__(self) -> str:
        if self.days is not None:
            return f"{self.days}d"
        seconds = int((self.exact or timedelta()).total_seconds())
        return f"{seconds // 3600}h" if seconds % 3600 == 0 else f"{seconds // 60}m"


@dataclass(frozen=True, slots=True)
class Hours:
    """Local opening hours in minutes after midnight, half open; `start > end` crosses midnight; end may be 1440."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` (a count, or money for a budget) per length of time, looking back."""

    most: Decimal
    per: Length


@dataclass(frozen=True, slots=True)
class Moment:
    """When a step happens. `kind`: now, day, goal or end. Day 0 is the anchor's local date; minutes count from local midnight."""

    kind: str
    day: int = 0
    minute: int | None = None  # None: when the sending hours open
    until: int | None = None  # the end of a span; users are spread over it by hash


@dataclass(frozen=True, slots=True)
class Schedule:
    """A recurring local time.

    `kind`: day, workday, weekend, weekday (number 1 Monday to 7), month_day (number 1-31, last day of shorter months),
    days (every `number` days from the start), year (on the day and month of `attribute`, `number` days before it).
    """

    kind: str
    minute: int
    number: int = 0
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class Valid:
    """How long a benefit lives. `kind`: length, weekday (1 Monday), month_end or date; days run through the end of the day."""

    kind: str
    length: Length | None = None
    weekday: int = 0
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """When a user may start a flow again: `never`, `always`, or `after` a length counted from the last start."""

    kind: str
    after: Length | None = None


@dataclass(frozen=True, slots=True)
class Instant:
    """A date and time in the project's zone, without a zone of its own."""

    local: datetime
