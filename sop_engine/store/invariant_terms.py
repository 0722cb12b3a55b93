"""Says what an invariant is, and what the queries of all of them are asked with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sop_engine.store.dialect import Dialect

SWEEP = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Invariant:
    """What must always be so, as a query that must return no row; each row names what breaks it, in the column `subject`.

    Without a query `absent` says why it cannot be asked.
    """

    id: str
    says: str
    sql: str = ""
    absent: str = ""


@dataclass(frozen=True, slots=True)
class FlowTerms:
    """One version of a flow: how soon it may start again (kind: never, always or after), its experiment, whether it needs an approval."""

    flow: str
    version: int
    again: str
    days: int | None = None
    seconds: float | None = None
    experiment: str | None = None
    approval: bool = False


@dataclass(frozen=True, slots=True)
class StepTerms:
    """One step of one version. `kind`: plain (planned at the start), outlives (at goal, at end) or other."""

    flow: str
    version: int
    step: str
    kind: str


@dataclass(frozen=True, slots=True)
class Most:
    """At most so many (or so much money) in so many days, or seconds, looking back; of a channel, benefit or flow, or of everything."""

    most: Decimal
    days: int | None = None
    seconds: float | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the queries need besides the tables. `now` is the engine's time, `lease_now` the one leases are counted in."""

    now: datetime
    lease_now: datetime
    since: datetime  # when the newest release was applied: what the live one rules began then at the earliest
    sending: bool = True
    sweep: timedelta = SWEEP
    flows: Sequence[FlowTerms] = ()
    steps: Sequence[StepTerms] = ()
    windows: Mapping[str, timedelta | None] = field(default_factory=dict)  # channel -> how long its provider knows a key; None: not at all
    caps: Sequence[Most] = ()
    benefit_budgets: Sequence[Most] = ()
    flow_budgets: Sequence[Most] = ()

    def params(self, to: Dialect) -> dict[str, Any]:
        """The parameters of every query."""
        return {
            "now": to.instant(self.now),
            "since": to.instant(self.since),
            "overdue": to.instant(self.now - 2 * self.sweep),
            "lost": to.instant(self.lease_now - 2 * self.sweep),
            "flows": to.row_list([{f: getattr(one, f) for f in FLOW} for one in self.flows]),
            "steps": to.row_list([{f: getattr(one, f) for f in STEP} for one in self.steps]),
        }


FLOW = {"flow": "text", "version": "id", "again": "text", "days": "id", "seconds": "number", "experiment": "text", "approval": "flag"}
STEP = {"flow": "text", "version": "id", "step": "text", "kind": "text"}


def minus(to: Dialect, instant: str, seconds: float) -> str:
    """The instant so many seconds earlier."""
    if to.name == "postgresql":
        return f"({instant} - INTERVAL '{seconds} seconds')"
    return f"(strftime('%Y-%m-%d %H:%M:%f', {instant}, '-{seconds} seconds') || '000')"


def window(to: Dialect, partition: str, most: Most, *, day: str, at: str) -> str:
    """The frame of a window function that looks back as this limit does."""
    if most.days is not None:
        return f"(PARTITION BY {partition} ORDER BY {day} RANGE BETWEEN {most.days - 1} PRECEDING AND CURRENT ROW)"
    seconds = round((most.seconds or 0) - 0.001, 3)  # what is exactly so old is outside
    if to.name == "postgresql":
        return f"(PARTITION BY {partition} ORDER BY {at} RANGE BETWEEN INTERVAL '{seconds} seconds' PRECEDING AND CURRENT ROW)"
    return f"(PARTITION BY {partition} ORDER BY julianday({at}) * 86400.0 RANGE BETWEEN {seconds} PRECEDING AND CURRENT ROW)"


def before_merge(user: str, at: str) -> str:
    """Whether it happened before the user became one with another: what each had then followed the rules for each."""
    return f"EXISTS (SELECT 1 FROM merges m WHERE m.older_id = {user} AND m.state <> 'waiting' AND m.at >= {at})"
