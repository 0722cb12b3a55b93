"""Starts runs: who may, which arm, and what is planned; all in the transaction that found the reason."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from sop_engine.actions.feeding import tell_started
from sop_engine.actions.ramping import Opening
from sop_engine.actions.winners import Winner, winners
from sop_engine.app import Work
from sop_engine.core.conditions import Facts, Value
from sop_engine.core.enrolment import Past, Refused, anchor_of, refuse_start
from sop_engine.core.experiment import arm_for, in_global_holdout, in_rollout, salt_of
from sop_engine.core.interest import held_names, user_names
from sop_engine.core.playbook import Flow
from sop_engine.core.project import Project
from sop_engine.core.schedule import RunTimes, Timing, Wanted, all_late, wanted
from sop_engine.store import facts as store_facts
from sop_engine.store import runs, touches
from sop_engine.store.people import Person, people
from sop_engine.store.scope import Scope


@dataclass(frozen=True, slots=True)
class Candidate:
    """A user for whom a flow would start now, and why."""

    user_id: int
    flow: Flow
    cause: str
    start_key: str
    event_id: int | None = None
    event: Mapping[str, Value | None] = field(default_factory=dict)  # fields of the event
    before: Facts | None = None  # facts as they were just before the event
    version: int | None = None  # None: the live one; 0: none is open to the user


@dataclass(frozen=True, slots=True)
class Ready:
    """A candidate that may start, with everything its run and touches need."""

    candidate: Candidate
    new: runs.NewRun
    plan: tuple[Wanted, ...]


def start_runs(work: Work, candidates: Sequence[Candidate]) -> int:
    """Start a run for every candidate that may, by priority then file order; store why others may not. How many started."""
    if not candidates:
        return 0
    ordered = sorted(candidates, key=lambda c: (c.before is None, -c.flow.rank, c.flow.order))  # starts by events first
    users = {c.user_id for c in ordered}
    known = people(work.tx, users)
    ordered = _by_version(work, ordered, known)
    pasts = runs.past_runs(work.tx, users, {c.flow.id for c in ordered})
    facts = store_facts.read_facts(work.tx, work.project, _names(ordered), Scope.of(users), work.now)
    arms = _Arms(work, {c.flow.experiment_name for c in ordered if c.flow.variants or c.flow.holdout}, users)
    ready: list[Ready] = []
    refused: list[dict[str, object]] = []
    for one in ordered:
        past = pasts.get((one.user_id, one.flow.id), Past())
        found = _judge(work, one, known[one.user_id], facts.get(one.user_id, {}), past)
        if isinstance(found, Refused):
            at = work.moment(one.user_id)
            refused.append({"user_id": one.user_id, "flow": one.flow.id, "at": at, "reason": found.reason, "detail": found.detail})
        else:
            ready.append(arms.drawn(found, known[one.user_id]))
            pasts[one.user_id, one.flow.id] = Past(found.new.started_at, True)
    runs.add_refused(work.tx, refused)
    runs.add_arms(work.tx, arms.fresh, work.now)
    return _write(work, ready)


def _names(candidates: Iterable[Candidate]) -> frozenset[str]:
    flows = {c.flow.id: c.flow for c in candidates}.values()
    asked = user_names(f.only for f in flows)
    anchors = frozenset(f.anchor for f in flows if f.anchor)
    years = frozenset(s.every.attribute for f in flows for s in f.steps if s.every and s.every.attribute)
    return asked.union(anchors, years, *(held_names(f) for f in flows))


def _judge(work: Work, one: Candidate, person: Person, facts: Facts, past: Past) -> Ready | Refused:
    flow, at = one.flow, work.moment(one.user_id)
    zone = work.zone_of(person.timezone)
    event = {f"event.{name}": value for name, value in one.event.items()}
    refused = refuse_start(flow, {**(one.before or facts), **event}, past, at, zone, inside_rollout=_inside(work, flow, person))
    if refused is not None:
        return refused
    if one.version == 0:
        return Refused("ramp", "a new version opens slowly, and the one before it cannot be started")
    anchor = anchor_of(flow, facts, at.astimezone(zone).date())
    if anchor is None:
        return Refused("no_anchor", f"{flow.anchor} is unknown")
    times = RunTimes(at, anchor, f"{person.key}:{one.start_key}")
    plan = wanted(flow, times, timing_of(work, person, facts))
    if all_late(plan, at):
        return Refused("late", f"day 0 was {anchor}")
    held = {f"start.{name}": facts.get(name) for name in held_names(flow)}
    new = runs.NewRun(
        user_id=one.user_id,
        flow=flow.id,
        version=one.version or work.live.numbers.get(flow.id, 1),
        start_key=one.start_key,
        cause=one.cause,
        started_at=at,
        started_day=at.astimezone(zone).date().toordinal(),
        anchor_day=anchor,
        variant=None,
        held_out=False,
        held={**held, **event},
        start_event_id=one.event_id,
    )
    return Ready(one, new, plan)


def _by_version(work: Work, candidates: Sequence[Candidate], known: Mapping[int, Person]) -> list[Candidate]:
    """While a new version of a flow opens, each candidate with the version that is open to the user."""
    opening = Opening(work)
    found = []
    for one in candidates:
        version = opening.version(one.flow, known[one.user_id].key)
        found.append(one if version is None else replace(one, flow=version.flow, version=version.number))
    return found


def timing_of(work: Work, person: Person, facts: Facts) -> Timing:
    """What the times of a user's runs are counted in."""
    settings = work.project.settings
    dates = {k: v for k, v in facts.items() if isinstance(v, date)}
    rehearsal = work.app.rehearsal
    spread = rehearsal is None or rehearsal.spread
    return Timing(work.zone_of(person.timezone), work.project.calendar, settings.hours, salt_of(settings), dates, spread)


def _inside(work: Work, flow: Flow, person: Person) -> bool:
    rehearsal = work.app.rehearsal
    if rehearsal is not None and not rehearsal.draws:
        return True
    return in_rollout(flow, person.key, salt_of(work.project.settings))


class _Arms:
    """The recorded arms of these users, and those drawn and recorded now, before anything is sent."""

    def __init__(self, work: Work, experiments: Iterable[str], users: Iterable[int]) -> None:
        self.work = work
        self.known = runs.arms_of(work.tx, experiments, users)
        self.fresh: runs.Arms = {}
        self.winners: Mapping[str, Winner] | None = None

    def drawn(self, ready: Ready, person: Person) -> Ready:
        """The run with its arm."""
        flow = ready.candidate.flow
        variant, held_out = self._of(flow, person)
        cause = ready.new.cause
        if (flow.experiment_name, person.id) in self.fresh and self.winners and flow.experiment_name in self.winners and not held_out:
            cause += f" · {variant} as the winner since {self.winners[flow.experiment_name].at[:10]}"
        return replace(ready, new=replace(ready.new, variant=variant, held_out=held_out, cause=cause))

    def _of(self, flow: Flow, person: Person) -> tuple[str | None, bool]:
        rehearsal, settings = self.work.app.rehearsal, self.work.project.settings
        if rehearsal is not None and not rehearsal.draws:
            return (None, True) if rehearsal.variant == "holdout" else (rehearsal.variant, False)
        if in_global_holdout(settings, person.key):
            return None, True
        if not flow.variants and not flow.holdout:
            return None, False
        key = (flow.experiment_name, person.id)
        if key not in self.known:
            arm = arm_for(flow, person.key, salt_of(settings))
            winner = self._winner(flow)
            variant = winner.variant if winner is not None and not arm.held_out else arm.variant
            self.known[key] = self.fresh[key] = (variant, arm.held_out)
        return self.known[key]

    def _winner(self, flow: Flow) -> Winner | None:
        """The variant that new users get since a verdict; a rehearsal draws as if there were none."""
        if len(flow.variants) < 2 or self.work.app.rehearsal is not None:
            return None
        if self.winners is None:
            self.winners = winners(self.work, self.work.project.flows.values())
        return self.winners.get(flow.experiment_name)


def _write(work: Work, ready: Sequence[Ready]) -> int:
    ids = runs.add_runs(work.tx, [r.new for r in ready])
    begun = [(i, r.new.user_id, r.new.flow, r.new.version, r.new.variant) for i, r in zip(ids, ready, strict=True) if i is not None]
    tell_started(work, begun)
    rows = [
        touches.touch_row(_texts_of(work, r), run_id, r.new.user_id, r.candidate.flow, w)
        for run_id, r in zip(ids, ready, strict=True)
        if run_id is not None
        for w in r.plan
    ]
    touches.add_touches(work.tx, rows)
    idle: dict[int, datetime | None] = {i: r.new.started_at for i, r in zip(ids, ready, strict=True) if i is not None and not r.plan}
    runs.set_close(work.tx, {i: at for i, at in idle.items() if not _only_waits(ready, ids, i)})
    return sum(1 for i in ids if i is not None)


def _texts_of(work: Work, ready: Ready) -> Project:
    """The project with the texts of the run's version."""
    pinned = work.app.pinned(work, ready.new.flow, ready.new.version) if ready.candidate.version else None
    return pinned[1] if pinned else work.project


def _only_waits(ready: Sequence[Ready], ids: Sequence[int | None], run_id: int) -> bool:
    """Whether the run has nothing but `at: goal` and `at: end` steps: then it waits for its goal or its end."""
    flow = ready[ids.index(run_id)].candidate.flow
    return all(s.at is not None and s.at.kind in ("goal", "end") for s in flow.steps)
