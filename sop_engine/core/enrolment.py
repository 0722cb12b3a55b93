"""Who may start a flow, what ends a run, and whether a goal counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sop_engine.core.calendar import end_of_length, local_day
from sop_engine.core.catalog import Goal
from sop_engine.core.conditions import Facts, holds
from sop_engine.core.forms import Again
from sop_engine.core.playbook import Flow


@dataclass(frozen=True, slots=True)
class Refused:
    """A start that is not made, with its reason: only, again, rollout, ramp, no_anchor or late."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """The user's earlier runs of one flow: when the last one started, and whether one is open."""

    last_started_at: datetime | None = None
    open: bool = False


def may_again(again: Again, past: Past, now: datetime, zone: ZoneInfo) -> bool:
    """Whether the user may start once more; only `always` allows a run beside an open one."""
    if again.kind == "always" or past.last_started_at is None:
        return True
    if past.open or again.kind == "never":
        return False
    length = again.after
    if length is None:
        return True
    if length.days is not None:
        return (local_day(now, zone) - local_day(past.last_started_at, zone)).days >= length.days
    return now - past.last_started_at >= (length.exact or timedelta())


def refuse_start(flow: Flow, facts: Facts, past: Past, now: datetime, zone: ZoneInfo, *, inside_rollout: bool) -> Refused | None:
    """Why a user may not start this flow now, or None: `again`, `rollout`, `only` in this order."""
    if not may_again(flow.again, past, now, zone):
        return Refused("again", "one is still open" if past.open else f"last start {past.last_started_at:%Y-%m-%d}")
    if not inside_rollout:
        return Refused("rollout")
    if flow.only is not None and not holds(flow.only, facts):
        from sop_engine.core.explain import outcome_reason

        return Refused("only", str(outcome_reason(flow.only, facts)))
    return None


def anchor_of(flow: Flow, facts: Facts, started_on: date) -> date | None:
    """The local date that is day 0: the start's, or the value of the anchor; None when the anchor is unknown."""
    if flow.anchor is None:
        return started_on
    value = facts.get(flow.anchor)
    return value if isinstance(value, date) else None


def ending_exit(flow: Flow, facts: Facts) -> str | None:
    """The first exit whose condition is true, or None."""
    return next((reason for reason, condition in flow.exits if holds(condition, facts)), None)


def goal_counts(goal: Goal, at: datetime, touched_at: Sequence[datetime], zone: ZoneInfo) -> bool:
    """Whether a goal reached at this time counts: before any touch (on their own), or inside the window of an earlier touch."""
    before = [t for t in touched_at if t <= at]
    return not before or any(at < end_of_length(t, goal.within, zone) for t in before)
