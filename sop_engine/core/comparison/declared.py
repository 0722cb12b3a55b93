"""Decides what a flow declares about its experiment: arms and shares, the measured goal, which steps differ, what starts a new count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from sop_engine.core.catalog import Goal
from sop_engine.core.playbook import Choice, Experiment, Flow, Step
from sop_engine.core.project import Project
from sop_engine.core.version import fingerprint

HOLDOUT = "holdout"


@dataclass(frozen=True, slots=True)
class Declared:
    """An experiment of one or several flows. `arms` by name with their shares, the hold-out first; `control_known`: there is one."""

    name: str
    flows: tuple[Flow, ...]
    goal: Goal
    arms: Mapping[str, float]
    control_known: bool
    experiment: Experiment

    @property
    def control(self) -> str:
        """The hold-out; without one the first variant."""
        return next(iter(self.arms))

    @property
    def mode(self) -> str:
        """As written, else hybrid with a plan and open-ended without."""
        return self.experiment.mode or ("hybrid" if self.experiment.planned_per_arm else "open_ended")

    @property
    def planned(self) -> int | None:
        """Users over all arms: those of the smallest arm, divided by the smallest share."""
        each = self.experiment.planned_per_arm
        shares = [s for s in self.arms.values() if s > 0]
        return round(each / min(shares)) if each and shares else None

    def blind(self) -> list[str]:
        """Flows that do not watch a measured goal that is a condition: nobody notes when it becomes true."""
        return [] if self.goal.enter is None else [f.id for f in self.flows if self.goal not in (f.goal, *f.counts)]


def has_arms(flow: Flow) -> bool:
    """Whether there is anything to compare."""
    return bool(flow.variants or flow.holdout)


def shares_of(flow: Flow) -> dict[str, float]:
    """The arms of a flow with their shares of all users; a flow without variants is one arm, called as its experiment."""
    held = flow.holdout
    rest = {name: float(share * (1 - held)) for name, share in flow.variants} or {flow.experiment_name: float(1 - held)}
    return {HOLDOUT: float(held), **rest} if held else rest


def arm_name(flow_arm: tuple[str | None, bool], experiment: str) -> str:
    """The arm of a recorded (variant, held out)."""
    variant, held_out = flow_arm
    return HOLDOUT if held_out else variant or experiment


def declared(project: Project, name: str) -> Declared | None:
    """The experiment of this name: of an experiment, a flow, or a playbook whose flows share one; None when there is none."""
    flows = [f for f in project.flows.values() if has_arms(f)]
    found = (
        [f for f in flows if f.experiment_name == name] or [f for f in flows if f.id == name] or [f for f in flows if f.playbook == name]
    )
    names = {f.experiment_name for f in found}
    if len(names) != 1:
        return None
    return _of([f for f in flows if f.experiment_name in names], project)


def all_declared(project: Project) -> list[Declared]:
    """Every experiment of a project, in the order of the files."""
    names = dict.fromkeys(f.experiment_name for f in project.flows.values() if has_arms(f))
    return [found for name in names if (found := declared(project, name)) is not None]


def _of(flows: Sequence[Flow], project: Project) -> Declared | None:
    first = flows[0]
    experiment = next((f.experiment for f in flows if f.experiment is not None), None) or Experiment()
    named = project.goals.get(experiment.metric) if experiment.metric else None
    goal = named or next((g for g in first.counts if g.name == experiment.metric), None) or first.goal
    if goal is None:
        return None
    return Declared(first.experiment_name, tuple(flows), goal, shares_of(first), first.holdout > 0, experiment)


def is_marketing(step: Step, project: Project) -> bool:
    """Whether a step sends marketing."""
    names = step.send.names() if step.send else ()
    return any(name in project.templates and project.template(name, None).purpose == "marketing" for name in names)


def clock_steps(flow: Flow, project: Project) -> frozenset[str]:
    """The steps at whose due time the clock may start: with a hold-out every marketing step, else those at which variants differ."""
    marketing = [s for s in flow.steps if is_marketing(s, project)]
    if flow.holdout:
        return frozenset(s.name for s in marketing)
    return frozenset(s.name for s in flow.steps if differs(s, flow) and (s in marketing or s.send is None))


def differs(step: Step, flow: Flow) -> bool:
    """Whether variants are treated differently at a step."""

    def act(choice: Choice | None, arm: str) -> tuple[str, ...] | None:
        return choice.pick(arm) if choice and choice.by == "variant" else None

    return len({(act(step.send, arm), act(step.give, arm)) for arm, _ in flow.variants}) > 1


def essence(flow: Flow, project: Project) -> str:
    """What must not change while users are counted: all of a flow but shares, notes, and what is done with a winner."""
    bare = Experiment()
    kept = replace(
        flow,
        holdout=Decimal(1) if flow.holdout else Decimal(0),
        variants=tuple((name, Decimal(1)) for name, _ in flow.variants),
        experiment=replace(flow.experiment or bare, winner="propose"),
        note="",
        owner="",
        rollout=Decimal(1),
        existing_per_day=None,
    )
    return fingerprint(kept, project)
