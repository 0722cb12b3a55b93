"""A run (one user going through one flow) and its touches, as they are stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sop_engine.core.conditions import Value


@dataclass(frozen=True, slots=True)
class Run:
    """One user going through one version of one flow. `held`: values known since the start, as `start.N` and `event.F`."""

    id: int
    user_id: int
    flow: str
    version: int
    start_key: str
    cause: str
    started_at: datetime
    anchor_day: date
    variant: str | None = None
    held_out: bool = False
    state: str = "open"
    end_reason: str | None = None
    ended_at: datetime | None = None
    goal_at: datetime | None = None
    held: Mapping[str, Value | None] = field(default_factory=dict)
    start_event_id: int | None = None
    close_at: datetime | None = None
    counted: Mapping[str, str] = field(default_factory=dict)  # other goals reached: name -> ISO time of the first

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.state == "open"


@dataclass(frozen=True, slots=True)
class Touch:
    """One step of one run."""

    id: int
    run_id: int
    user_id: int
    flow: str
    step: str
    occurrence: str
    state: str
    reason: str | None
    due_at: datetime
    first_due_at: datetime
    late_at: datetime
    rank: int = 1
    epoch: int = 0
    attempts: int = 0
    proof: int = 0  # how often it was proven not accepted
    look_at: datetime | None = None  # of an unknown outcome: when it is looked at again
    done_at: datetime | None = None

    @property
    def opened_window(self) -> bool:
        """Whether it opened the goal's window: sent, possibly sent, or withheld from a hold-out."""
        return self.state in ("sent", "unknown", "sending") or (self.state == "skipped" and self.reason == "holdout")


def to_json(values: Mapping[str, Value | None]) -> dict[str, Any]:
    """Values as JSON that keeps their types: numbers as {"n": …}, dates as {"d": …}."""
    return {key: _encoded(value) for key, value in values.items()}


def _encoded(value: Value | None) -> Any:
    if isinstance(value, Decimal):
        return {"n": str(value)}
    if isinstance(value, date):
        return {"d": value.isoformat()}
    return value


def from_json(stored: Mapping[str, Any] | None) -> dict[str, Value | None]:
    """The values `to_json` stored."""
    return {key: _decoded(value) for key, value in (stored or {}).items()}


def _decoded(value: Any) -> Value | None:
    if isinstance(value, dict):
        return Decimal(value["n"]) if "n" in value else date.fromisoformat(value["d"])
    known: Value | None = value
    return known
