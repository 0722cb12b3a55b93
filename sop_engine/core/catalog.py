"""What is known about users and what they do: attributes, events, tags, goals, channels, benefits, calendars."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from sop_engine.core.conditions import Condition, Value
from sop_engine.core.forms import Hours, Length, Limit, Valid

LATER: Mapping[str, bool] = {"later": True}  # a key that came later: while it is not used, the fingerprints of flows stay as they are


@dataclass(frozen=True, slots=True)
class Attribute:
    """One fact about a user. `type`: text, number, flag, date, phone, email or words."""

    name: str
    type: str
    words: tuple[str, ...] = ()
    sensitive: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event. `type`: text, number, flag, date or words."""

    name: str
    type: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of event. `where` says which count; `undone_by` names the event and field that take one back."""

    name: str
    fields: Mapping[str, Field]
    where: Condition | None = None
    undone_by: tuple[str, str] | None = None  # (event, field), as in refund.order_id
    built_in: bool = False  # seen whoever did it


@dataclass(frozen=True, slots=True)
class Tag:
    """A flag with evidence and an end: by rule (`when`), by keyword (`words`), or set by a step, a colleague or the API."""

    name: str
    when: Condition | None = None
    words: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()
    inside: tuple[str, str] | None = None  # (event, field) in which the words are looked for
    keeps: int | None = None  # days it stays after it was last set; None: for ever (a rule: only while it holds)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted: one of `events` (leaf kinds) fitting `where`, or `enter` becoming true, within a length after a touch."""

    name: str
    within: Length
    events: tuple[str, ...] = ()
    where: Condition | None = None
    enter: Condition | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days are workdays. `weekend` holds weekdays 1 (Monday) to 7; days after `until` go by the weekend alone."""

    name: str
    weekend: frozenset[int] = frozenset({6, 7})
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to reach a user, a colleague or a system; `via` is the adapter, `to` the attribute that holds the address."""

    name: str
    via: str
    to: str | None = None
    needs: Condition | None = None
    hours: Hours | None = None
    caps: tuple[Limit, ...] = ()
    cost: Decimal = Decimal(0)
    max_length: int | None = None
    must_contain: tuple[str, ...] = ()
    due: timedelta | None = None
    escalate_to: str = ""

    @property
    def account(self) -> str:
        """Whose limits and failures it shares: all mail goes through one server, every other channel has an account of its own."""
        return self.via if self.via == "email" else self.name


@dataclass(frozen=True, slots=True)
class Benefit:
    """Something given: `worth` is money or a text, `cost` is what a budget counts, both in the project's currency."""

    name: str
    pool: str
    valid: Valid
    limit: Limit
    budget: Limit
    worth: Decimal | str = ""
    min_spend: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    if_empty: str | None = None  # another benefit; None: skip
    stack: bool = True
    kind: str = field(default="", metadata=LATER)  # generated, uploaded, shared, entitlement, external; empty: as the pool is filled
    code: str = field(default="", metadata=LATER)  # of a shared one: the public code
    sets: tuple[tuple[str, Value], ...] = field(default=(), metadata=LATER)  # of an entitlement: attributes, while it lasts
    provider: str = field(default="", metadata=LATER)  # of an external one: the name of the provider's account
    ends: date | None = field(default=None, metadata=LATER)  # nothing of it is valid after this day

    @property
    def holds(self) -> str:
        """What a grant of it is: a code of its own, a shared one, an entitlement, or an external coupon."""
        return self.kind if self.kind in ("shared", "entitlement", "external") else "code"


@dataclass(frozen=True, slots=True)
class Alert:
    """A watched figure and the task or message sent when it leaves its bounds."""

    name: str
    watch: str
    send: str
    of: str = ""
    per: Length | None = None
    bound: str = ""  # above or below
    value: str = ""  # a share, a number, or usual


@dataclass(frozen=True, slots=True)
class Report:
    """A scheduled report of one closed period."""

    name: str
    show: tuple[str, ...]
    of: str = ""
    by: tuple[str, ...] = ()
    every: str = ""
    send: str = ""
    formats: tuple[str, ...] = field(default=("html", "csv"))
