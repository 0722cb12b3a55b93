"""What a run's touches should be, and the difference to what they are: one plan for entering, leaving and migrating."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sop_engine.core.calendar import end_of_length, local_day, resolve
from sop_engine.core.catalog import Calendar
from sop_engine.core.experiment import offset_in_span
from sop_engine.core.forms import Hours, Length, Moment
from sop_engine.core.playbook import Flow, Step
from sop_engine.core.recurrence import next_time

INSTANT = timedelta(microseconds=1)
DONE = frozenset({"sent", "skipped", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Timing:
    """What the times of a run are counted in: the user's zone, the project's calendar and hours, and the salt of spans."""

    zone: ZoneInfo
    calendar: Calendar
    hours: Hours
    salt: str = ""
    dates: Mapping[str, date | None] | None = None  # date attributes of the user, for `year on …`
    spread: bool = True  # False: spans begin at once (stories)


@dataclass(frozen=True, slots=True)
class RunTimes:
    """What a run is counted from: its start, the local date that is day 0, and a key that spreads spans."""

    started_at: datetime
    anchor_day: date
    key: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A touch that should be there. Later than `late_at` it is skipped."""

    step: str
    occurrence: str
    due_at: datetime
    late_at: datetime


@dataclass(frozen=True, slots=True)
class Existing:
    """A touch that is there."""

    id: int
    step: str
    occurrence: str
    state: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write: touches to add, planned ones to cancel (id, reason), planned ones whose time changes."""

    add: tuple[Wanted, ...] = ()
    cancel: tuple[tuple[int, str], ...] = ()
    shift: tuple[tuple[int, Wanted], ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.add or self.cancel or self.shift)


def wanted(flow: Flow, run: RunTimes, timing: Timing) -> tuple[Wanted, ...]:
    """The touches a run wants at its start: every step that waits for nothing but time."""
    steps = (s for s in flow.steps if s.source is None)
    return tuple(w for s in steps if (w := wanted_touch(flow, s, run, timing)) is not None)


def wanted_after(flow: Flow, ran: str, run: RunTimes, ran_at: datetime, timing: Timing) -> tuple[Wanted, ...]:
    """The touches wanted once step `ran` has run: day 0 and `after` of the steps that name it in `from` count from then."""
    base = RunTimes(ran_at, local_day(ran_at, timing.zone), run.key)
    steps = (s for s in flow.steps if s.source == ran)
    return tuple(w for s in steps if (w := wanted_touch(flow, s, base, timing)) is not None)


def wanted_at(flow: Flow, kind: str, now: datetime) -> tuple[Wanted, ...]:
    """The touches of `at: goal` or `at: end` steps, due now."""
    steps = (s for s in flow.steps if s.at is not None and s.at.kind == kind)
    return tuple(Wanted(s.name, "0", now, _late_at(flow, s, now, None)) for s in steps)


def wanted_touch(flow: Flow, step: Step, base: RunTimes, timing: Timing, *, after: datetime | None = None) -> Wanted | None:
    """The (next) touch of one step: for `every`, the first occurrence later than `after`. None for goal and end steps."""
    if step.every is not None:
        due = next_time(
            step.every, after or base.started_at, timing.zone, timing.calendar, started_on=base.anchor_day, dates=timing.dates or {}
        )
        occurrence = local_day(due, timing.zone).isoformat() if due else ""
    else:
        due, occurrence = _due_once(step, base, timing), "0"
    return None if due is None else Wanted(step.name, occurrence, due, _late_at(flow, step, due, timing.zone))


def _due_once(step: Step, base: RunTimes, timing: Timing) -> datetime | None:
    if step.after is not None:
        return base.started_at + step.after
    if step.at is None or step.at.kind in ("goal", "end"):
        return None
    if step.at.kind == "now":
        return base.started_at
    return _due_on_day(step.at, step.name, base, timing)


def _due_on_day(moment: Moment, step: str, base: RunTimes, timing: Timing) -> datetime:
    minute = timing.hours.start if moment.minute is None else moment.minute
    if moment.until is not None and timing.spread:
        minute += offset_in_span(timing.salt, base.key, step, moment.until - minute)
    return resolve(base.anchor_day + timedelta(days=moment.day), minute, timing.zone)


def _late_at(flow: Flow, step: Step, due: datetime, zone: ZoneInfo | None) -> datetime:
    late = step.late or flow.late
    if late.days is not None and zone is not None:
        return end_of_length(due, late, zone) - INSTANT  # the midnight that ends the last day is outside
    return due + (late.exact or timedelta(days=late.days or 0))


def all_late(touches: Sequence[Wanted], now: datetime) -> bool:
    """Whether there are touches and every one of them is already too late: then there is no run."""
    return bool(touches) and all(now > w.late_at for w in touches)


def reconcile(wants: Iterable[Wanted], existing: Iterable[Existing], *, reason: str = "removed") -> Plan:
    """The difference: what is wanted and not there is added, what is planned and not wanted is cancelled with `reason`.

    Only planned touches change; what has run stays run.
    """
    listed = {(w.step, w.occurrence): w for w in wants}
    there = {(e.step, e.occurrence): e for e in existing}
    planned = [e for e in there.values() if e.state == "planned"]
    gone = tuple((e.id, reason) for e in planned if (e.step, e.occurrence) not in listed)
    moved = tuple((e.id, w) for e in planned if (w := listed.get((e.step, e.occurrence))) is not None and w.due_at != e.due_at)
    return Plan(tuple(w for key, w in listed.items() if key not in there), gone, moved)


def goal_window_end(touched_at: datetime, within: Length, zone: ZoneInfo) -> datetime:
    """When the goal's window after a touch closes: day N counts to its end, hours and minutes are exact."""
    return end_of_length(touched_at, within, zone)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come, for `closes_at`: touches still to come, steps by name that ran, windows opened."""

    waiting: bool  # a touch is planned, queued, sending or unknown
    ran: frozenset[str]
    last_touch_at: datetime | None  # the last one sent or withheld
    goal_reached: bool


def closes_at(flow: Flow, progress: Progress, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When the run is finished: no step is to come, and the goal's window after the last touch is over or the goal was reached.

    None while a step is still to come. Not before `now`.
    """
    if progress.waiting or any(s.every is not None for s in flow.steps if _reachable(flow, s, progress)):
        return None
    if flow.goal is None or progress.goal_reached or progress.last_touch_at is None:
        return now
    return max(now, goal_window_end(progress.last_touch_at, flow.goal.within, zone))


def _reachable(flow: Flow, step: Step, progress: Progress) -> bool:
    return step.source is None or step.source in progress.ran
