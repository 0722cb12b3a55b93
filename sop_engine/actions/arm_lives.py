"""Gathers the users of an experiment: arm, first run, the touch that starts the clock, and what they did since; as a sample."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sop_engine.actions.goals import event_facts, fits
from sop_engine.app import Work
from sop_engine.core.comparison.clock import Deed, GivenBack, Life, Outcome, Window, outcome
from sop_engine.core.comparison.declared import Declared, clock_steps
from sop_engine.core.records import EventRecord
from sop_engine.store import arms as store_arms
from sop_engine.store.arms import ArmTouch, Assigned, Trial

COMPLAINTS = ("blocked", "complaint", "投诉")
PASSED = ("sent", "sending", "unknown", "failed")


@dataclass
class Person:
    """One assigned user with everything that is read about them."""

    assigned: Assigned
    touches: list[ArmTouch] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    refunds: list[GivenBack] = field(default_factory=list)
    active: list[datetime] = field(default_factory=list)
    complaints: list[datetime] = field(default_factory=list)
    opted_out: list[datetime] = field(default_factory=list)
    outcome: Outcome = field(default_factory=Outcome)
    first: ArmTouch | None = None  # the touch that starts the clock
    benefit_cost: Decimal = Decimal(0)

    @property
    def reached(self) -> bool:
        """Whether the first touch passed the last look, or would have."""
        return self.first is not None and (self.first.state in PASSED or (self.first.state == "skipped" and self.first.reason == "holdout"))


def gather_people(work: Work, trial: Trial, experiment: Declared, window: Window) -> list[Person]:
    """Everybody assigned, by user, with their outcome at the end of the last complete day."""
    people = {a.user_id: Person(a) for a in store_arms.list_assigned(work.tx, trial)}
    by_run = {p.assigned.run_id: p for p in people.values()}
    for touch in store_arms.list_arm_touches(work.tx, trial):
        by_run[touch.run_id].touches.append(touch)
    for run, cost in store_arms.benefit_costs(work.tx, trial).items():
        by_run[run].benefit_cost = cost
    for user, times in store_arms.first_opt_outs(work.tx, trial).items():
        if user in people:
            people[user].opted_out = times
    _add_events(work, trial, experiment, people)
    _add_conditions(experiment, people)
    for person in people.values():
        person.first = _first_touch(work, person)
        life = Life(person.first.due_at if person.first else None, _ended_early(person), person.deeds, person.refunds)
        person.outcome = outcome(life, window)
    return list(people.values())


def _ended_early(person: Person) -> datetime | None:
    """When the run ended, if its clock touch was cancelled by that or never planned."""
    first = person.first
    return None if first is not None and first.state != "cancelled" else person.assigned.ended_at


def _first_touch(work: Work, person: Person) -> ArmTouch | None:
    pinned = work.app.pinned(work, person.assigned.flow, person.assigned.version)
    names = clock_steps(*pinned) if pinned else frozenset()
    listed = [t for t in person.touches if t.step in names]
    return min(listed, key=lambda t: t.due_at, default=None)


def _add_events(work: Work, trial: Trial, experiment: Declared, people: Mapping[int, Person]) -> None:
    project, goal = work.project, experiment.goal
    purchase, money = project.settings.purchase
    bought = _leaves(work, [purchase])
    active = _leaves(work, project.settings.activity)
    undoing = {e.undone_by[0] for e in project.events.values() if e.undone_by is not None and e.name in (*bought, *goal.events)}
    kinds = sorted({*bought, *active, *goal.events, *undoing, *(k for k in COMPLAINTS if k in project.events)})
    once: dict[tuple[int, str], set[str]] = defaultdict(set)
    for user, record, ref in store_arms.list_arm_events(work.tx, trial, project, kinds):
        person = people[user]
        if record.event in active and record.actor == "user":
            person.active.append(record.at)
        if record.event in COMPLAINTS:
            person.complaints.append(record.at)
        if record.event in undoing and ref is not None:
            person.refunds.append(GivenBack(record.at, ref, _number(record, "amount")))
        facts = event_facts(record, project)
        reached, paid = fits(record, goal.events, goal.where, facts, project), fits(record, bought, None, facts, project)
        if (reached or paid) and ref not in once[user, record.event]:
            person.deeds.append(Deed(record.at, reached, _number(record, money) if paid else None, ref))
            once[user, record.event] |= {ref} if ref is not None else set()


def _add_conditions(experiment: Declared, people: Mapping[int, Person]) -> None:
    """A goal that is a condition is reached when the engine first saw it hold, as the run has it: of the hold-out's runs too."""
    goal = experiment.goal
    own = {f.id: f.goal == goal for f in experiment.flows}
    for person in people.values() if goal.enter is not None else ():
        one = person.assigned
        at = one.goal_at if own.get(one.flow) else one.counted.get(goal.name)
        if at is not None:
            person.deeds = sorted([*person.deeds, Deed(at, goal=True)], key=lambda d: d.at)


def _leaves(work: Work, names: Sequence[str]) -> tuple[str, ...]:
    groups = work.project.groups
    return tuple(dict.fromkeys(leaf for name in names for leaf in groups.get(name, (name,))))


def _number(record: EventRecord, name: str) -> float | None:
    value = record.fields.get(name)
    return float(value) if isinstance(value, Decimal) else None
