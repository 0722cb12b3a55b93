"""Plans a comparison from history: how many such users come back by themselves, how many there are a day, what a test needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from sop_engine.app import Work
from sop_engine.core.comparison.declared import Declared
from sop_engine.core.comparison.planning import Planning, plan_for
from sop_engine.core.comparison.values import NaturalReturn
from sop_engine.core.conditions import And, Compare, Condition, Or, Ref
from sop_engine.core.errors import BadInput
from sop_engine.core.playbook import Flow
from sop_engine.store import counting

MONTH_ENDS = 6
RECENT = 28
QUIET_DAYS = 30  # where the start of a flow names no silence


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan and the history it rests on."""

    experiment: str
    natural_return: NaturalReturn
    planning: Planning


def plan(work: Work, experiment: Declared, *, effect: float, power: float) -> Planned:
    """What a test needs. `effect` is a fraction. Raises BadInput where there is no history, or the question makes no sense."""
    if not 0 < effect < 1 or not 0 < power < 1:
        raise BadInput("--effect is in points, more than 0 and less than 100; --power is between 0 and 1.")
    natural = natural_return(work, experiment, work.now.astimezone(work.live.zone).date())
    if natural.rate is None:
        raise BadInput(
            f"no user was silent for {natural.lapsed_days} days on any of the last month ends: there is no history to plan from."
        )
    if natural.rate + effect >= 1:
        raise BadInput(f"{natural.rate:.0%} come back by themselves: {100 * effect:g} points more are not possible.")
    today = work.day
    entered = counting.entered_quiet(work.tx, kinds(work), today, natural.lapsed_days, RECENT)
    variants = len(experiment.arms) - experiment.control_known
    planning = plan_for(natural.rate, entered / RECENT, (effect, power), max(variants, 1), natural.window_days)
    return Planned(experiment.name, natural, planning)


def natural_return(work: Work, experiment: Declared, before: date) -> NaturalReturn:
    """How many of those as silent came back inside the window on the last six month ends whose window closed before a day."""
    flow, within = experiment.flows[0], experiment.goal.within
    quiet, window = quiet_days(work, flow), within.days if within.days is not None else 1
    ends = list(_month_ends(before, window))
    pairs = [counting.natural_returns(work.tx, list(experiment.goal.events) or list(kinds(work)), d, quiet, window) for d in ends]
    lapsed, returned = sum(p[0] for p in pairs), sum(p[1] for p in pairs)
    return NaturalReturn(quiet, window, lapsed, returned, returned / lapsed if lapsed else None, tuple(d.isoformat() for d in ends))


def kinds(work: Work) -> tuple[str, ...]:
    """The leaf kinds of events that are activity."""
    names = work.project.settings.activity or (work.project.settings.purchase[0],)
    return tuple(dict.fromkeys(leaf for name in names for leaf in work.project.groups.get(name, (name,))))


def _month_ends(before: date, window: int) -> Iterator[date]:
    day = before.replace(day=1)
    found = 0
    while found < MONTH_ENDS:
        end = day - timedelta(days=1)
        day = end.replace(day=1)
        if end + timedelta(days=window) < before:
            found += 1
            yield end


def quiet_days(work: Work, flow: Flow) -> int:
    """Days of silence at which the flow begins: the day of its first step if it is anchored, else what its start asks for."""
    if flow.anchor is not None:
        return min((s.at.day for s in flow.steps if s.at is not None and s.at.kind == "day"), default=QUIET_DAYS)
    start = flow.start
    tier = work.project.tiers.get(start.tier)
    rules = [start.condition, *(level.rule for level in (tier.levels if tier else ()) if level.name == start.level)]
    return max((n for rule in rules for n in _silences(work, rule)), default=QUIET_DAYS)


def _silences(work: Work, rule: Condition | None) -> Iterator[int]:
    if isinstance(rule, And | Or):
        for part in rule.parts:
            yield from _silences(work, part)
    if isinstance(rule, Compare) and isinstance(rule.left, Ref) and rule.op in (">", ">="):
        metric = work.project.metrics.get(rule.left.name)
        number = getattr(rule.right, "value", None)
        if metric is not None and metric.verb == "days_since" and number is not None:
            yield int(number) + (rule.op == ">")
