"""Plans a comparison from history: how many such users come back by themselves, how many there are a day, what a test needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from sop_engine.app import Work
from sop_engine.core.comparison.declared import Declared
from sop_engine.core.comparison.planning import AsDeclared, Planning, as_declared, plan_for
from sop_engine.core.comparison.values import NaturalReturn
from sop_engine.core.conditions import And, Compare, Condition, Or, Ref
from sop_engine.core.errors import BadInput
from sop_engine.core.playbook import Flow
from sop_engine.core.project import Project
from sop_engine.store import arms, counting

if TYPE_CHECKING:
    from sqlalchemy import Connection

MONTH_ENDS = 6
RECENT = 28
QUIET_DAYS = 30  # where the start of a flow names no silence


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan and the history it rests on; and the size the playbook declares, if it does."""

    experiment: str
    natural_return: NaturalReturn
    planning: Planning
    declared: AsDeclared | None = None


def plan(work: Work, experiment: Declared, *, effect: float, power: float) -> Planned:
    """What a test needs. `effect` is a fraction. Raises BadInput where there is no history, or the question makes no sense."""
    if not 0 < effect < 1 or not 0 < power < 1:
        raise BadInput("--effect is in points, more than 0 and less than 100; --power is between 0 and 1.")
    natural = natural_return(work.tx, work.project, experiment, work.now.astimezone(work.live.zone).date())
    if natural.rate is None:
        raise BadInput(
            f"no user was silent for {natural.lapsed_days} days on any of the last month ends: there is no history to plan from."
        )
    if natural.rate + effect >= 1:
        raise BadInput(f"{natural.rate:.0%} come back by themselves: {100 * effect:g} points more are not possible.")
    rate = entry_rate(work.tx, work.project, experiment, work.now)
    variants = len(experiment.arms) - experiment.control_known
    planning = plan_for(natural.rate, rate or 0.0, (effect, power), max(variants, 1), natural.window_days)
    declared = as_declared(experiment.planned, rate or 0.0, natural.window_days) if experiment.planned else None
    return Planned(experiment.name, natural, planning, declared)


def slow_tests(tx: "Connection", project: Project, listed: list[Declared], now: datetime) -> dict[str, AsDeclared]:
    """By experiment: declared sizes that take over 90 days at the present rate. Where no rate is known nothing is said."""
    found = {}
    for one in listed:
        rate = entry_rate(tx, project, one, now) if one.planned else None
        if one.planned and rate:
            found[one.name] = as_declared(one.planned, rate, window_days(one))
    return {name: plan for name, plan in found.items() if plan.warnings}


def entry_rate(tx: "Connection", project: Project, experiment: Declared, now: datetime) -> float | None:
    """New users a day in the last four weeks: those whose first run of these flows began then; while there are none, those who
    became as silent as the start asks for. None where the start asks for no silence.
    """
    entered = arms.first_starts(tx, [f.id for f in experiment.flows], now - timedelta(days=RECENT), now)
    if entered is not None:
        days = min(RECENT, (now.astimezone(project.zone).date() - entered.since.astimezone(project.zone).date()).days + 1)
        return entered.users / days
    flow = experiment.flows[0]
    if not _asks_for_silence(project, flow):
        return None
    today = now.astimezone(project.zone).date().toordinal()
    return counting.entered_quiet(tx, kinds(project), today, quiet_days(project, flow), RECENT) / RECENT


def window_days(experiment: Declared) -> int:
    """The goal's window in days; of hours, one."""
    within = experiment.goal.within
    return within.days if within.days is not None else 1


def natural_return(
    tx: "Connection", project: Project, experiment: Declared, before: date, known_by: datetime | None = None
) -> NaturalReturn:
    """How many of those as silent came back inside the window on the last six month ends whose window closed before a day.

    `known_by`: only events that had come in by then.
    """
    quiet, window = quiet_days(project, experiment.flows[0]), window_days(experiment)
    ends, names = list(_month_ends(before, window)), list(experiment.goal.events) or list(kinds(project))
    pairs = [counting.natural_returns(tx, names, d, quiet, window, known_by) for d in ends]
    lapsed, returned = sum(p[0] for p in pairs), sum(p[1] for p in pairs)
    return NaturalReturn(quiet, window, lapsed, returned, returned / lapsed if lapsed else None, tuple(d.isoformat() for d in ends))


def kinds(project: Project) -> tuple[str, ...]:
    """The leaf kinds of events that are activity."""
    names = project.settings.activity or (project.settings.purchase[0],)
    return tuple(dict.fromkeys(leaf for name in names for leaf in project.groups.get(name, (name,))))


def _month_ends(before: date, window: int) -> Iterator[date]:
    day = before.replace(day=1)
    found = 0
    while found < MONTH_ENDS:
        end = day - timedelta(days=1)
        day = end.replace(day=1)
        if end + timedelta(days=window) < before:
            found += 1
            yield end


def quiet_days(project: Project, flow: Flow) -> int:
    """Days of silence at which the flow begins: the day of its first step if it is anchored, else what its start asks for."""
    if flow.anchor is not None:
        return min((s.at.day for s in flow.steps if s.at is not None and s.at.kind == "day"), default=QUIET_DAYS)
    return max(_silences_of(project, flow), default=QUIET_DAYS)


def _asks_for_silence(project: Project, flow: Flow) -> bool:
    return flow.anchor is not None or any(True for _ in _silences_of(project, flow))


def _silences_of(project: Project, flow: Flow) -> Iterator[int]:
    start = flow.start
    tier = project.tiers.get(start.tier)
    rules = [start.condition, *(level.rule for level in (tier.levels if tier else ()) if level.name == start.level)]
    return (n for rule in rules for n in _silences(project, rule))


def _silences(project: Project, rule: Condition | None) -> Iterator[int]:
    if isinstance(rule, And | Or):
        for part in rule.parts:
            yield from _silences(project, part)
    if isinstance(rule, Compare) and isinstance(rule.left, Ref) and rule.op in (">", ">="):
        metric = project.metrics.get(rule.left.name)
        number = getattr(rule.right, "value", None)
        if metric is not None and metric.verb == "days_since" and number is not None:
            yield int(number) + (rule.op == ">")
