"""Compares the arms of an experiment on the engine's own data: loads its users, lets core judge, returns the report."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import sop_engine
from sop_engine.actions.arm_funnel import cost_of, funnels
from sop_engine.actions.arm_lives import Person, gather_people
from sop_engine.actions.compare_plan import natural_return
from sop_engine.actions.winners import winner_of
from sop_engine.app import App, Work
from sop_engine.core.calendar import midnight
from sop_engine.core.comparison.clock import Window
from sop_engine.core.comparison.compare import Known, compare
from sop_engine.core.comparison.declared import Declared, all_declared, arm_name, declared, essence, shares_of
from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.sample import Sample
from sop_engine.core.comparison.values import Report, Source
from sop_engine.core.errors import NotFound, Refused
from sop_engine.core.experiment import salt_of
from sop_engine.language.report import did_you_mean
from sop_engine.store import arms as store_arms
from sop_engine.store.arms import Besides, Trial

GUARDS = ("unsubscribe", "complaint", "refund", "messages")


@dataclass(frozen=True, slots=True)
class Counted:
    """The users that count, by arm, with the shares in force when each was assigned."""

    people: tuple[Person, ...]
    arms: tuple[str, ...]
    periods: tuple[Mapping[str, float], ...]
    period_of: Mapping[tuple[str, int], int]  # by (flow, version)
    levels: Mapping[int, str | None]


def compare_playbook(app: App, name: str, as_of: datetime, *, mode: str = "auto") -> Report:
    """The report of a playbook, flow or experiment as it was known at the last midnight before `as_of`.

    Raises NotFound when no experiment is called so.
    """
    with app.work(as_of) as work:
        return report_of(work, found(work, name), mode=mode)


def found(work: Work, name: str) -> Declared:
    """The experiment of this name. Raises NotFound with the names there are."""
    one = declared(work.project, name)
    if one is None:
        names = [d.name for d in all_declared(work.project)]
        listed = f" There are: {', '.join(names)}." if names else " No flow has 'variants' or 'holdout'."
        raise NotFound(f"there is no single experiment '{name}'.{did_you_mean(name, names)}{listed}")
    return one


def report_of(work: Work, experiment: Declared, *, mode: str = "auto") -> Report:
    """The report of an experiment at the moment of this work. Raises Refused when its goal is a condition nobody watches."""
    blind = experiment.blind()
    if blind:
        raise Refused(
            f"the goal '{experiment.goal.name}' is a condition that {', '.join(blind)} does not watch, so nobody knows when it became "
            "true. Write it under 'counts' of the flow, or measure a goal by 'event'."
        )
    zone = work.live.zone
    today = work.now.astimezone(zone).date()
    closed = midnight(today, zone)
    trial = Trial(experiment.name, tuple(f.id for f in experiment.flows), closed)
    people = gather_people(work, trial, experiment, Window(experiment.goal.within, zone, closed))
    counted = _counted(work, trial, experiment, people)
    sample = sample_of(counted, experiment, zone)
    digest = _digest(counted, experiment)
    besides = store_arms.list_besides(work.tx, trial)
    within = experiment.goal.within
    design = Design(
        experiment.control,
        mode=experiment.mode if mode == "auto" else mode.replace("-", "_"),
        planned=experiment.planned,
        shares=experiment.arms,
        hold_out=experiment.control_known,
        control_known=experiment.control_known,
        window_days=within.days if within.days is not None else -(-int((within.exact or timedelta()).total_seconds()) // 86400),
        guard_limits={n: _limit(text) for n, text in experiment.experiment.guardrails if text},
        revenue_cap=float(experiment.experiment.revenue_cap) if experiment.experiment.revenue_cap is not None else None,
        data_through=today - timedelta(days=1),
        dated=True,
        seed=int(digest[:16], 16),
    )
    by_arm = _by_arm(counted, experiment)
    # With a hold-out its own rate says how many come back by themselves, in the same days; without one history alone can say it.
    began = _began(counted, today, zone)
    natural = None if experiment.control_known else natural_return(work.tx, work.project, experiment, began, closed)
    known = Known(
        Source("playbook", experiment.name, len(counted.people), digest, _about(work, experiment, counted, besides)),
        sop_engine.__version__,
        as_of=closed.isoformat(),
        contamination=_contamination(counted, besides),
        funnels=funnels(by_arm, closed),
        costs={
            arm: sum(map(cost_of, mine)) / len(mine) for arm, listed in by_arm.items() if (mine := [p for p in listed if p.outcome.started])
        },
        natural_return=natural,
    )
    return compare(sample, design, known)


def _began(counted: Counted, today: date, zone: ZoneInfo) -> date:
    """The local date of the first draw."""
    return min((p.assigned.at.astimezone(zone).date() for p in counted.people), default=today)


def _limit(text: str) -> float:
    return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)


def _counted(work: Work, trial: Trial, experiment: Declared, people: Sequence[Person]) -> Counted:
    """Those drawn since the last change of anything but shares, and before a winner was switched to; with the shares of each draw."""
    winner = winner_of(work, experiment)
    until = winner.at if winner is not None and winner.state == "switched" else None
    periods: list[Mapping[str, float]] = []
    period_of: dict[tuple[str, int], int] = {}
    for flow in experiment.flows:
        latest, now = work.live.numbers.get(flow.id, 1), essence(flow, work.project)
        for number in range(latest, 0, -1):
            pinned = work.app.pinned(work, flow.id, number)
            if pinned is None or essence(*pinned) != now:
                break
            shares = shares_of(pinned[0])
            if shares not in periods:
                periods.append(shares)
            period_of[flow.id, number] = periods.index(shares)
    drawn = [p for p in people if until is None or p.assigned.at < datetime.fromisoformat(until)]
    kept = tuple(p for p in drawn if (p.assigned.flow, p.assigned.version) in period_of)
    used = sorted({period_of[p.assigned.flow, p.assigned.version] for p in kept}, reverse=True)  # the oldest first
    index = {old: new for new, old in enumerate(used)}
    arms = tuple(dict.fromkeys([*experiment.arms, *(a for i in used for a in periods[i])]))
    model = work.project.settings.primary_tier
    levels = store_arms.levels_at_assignment(work.tx, trial, model) if model and len(experiment.flows) == 1 else {}
    return Counted(kept, arms, tuple(periods[i] for i in used), {k: index[v] for k, v in period_of.items() if v in index}, levels)


def _arm(person: Person, experiment: Declared) -> str:
    return arm_name((person.assigned.variant, person.assigned.held_out), experiment.name)


def _by_arm(counted: Counted, experiment: Declared) -> dict[str, list[Person]]:
    found: dict[str, list[Person]] = {arm: [] for arm in counted.arms}
    for person in counted.people:
        found.setdefault(_arm(person, experiment), []).append(person)
    return found


def sample_of(counted: Counted, experiment: Declared, zone: ZoneInfo) -> Sample:
    """The users as columns."""
    import numpy as np

    people = [p for p in counted.people if _arm(p, experiment) in counted.arms]
    index = {name: i for i, name in enumerate(counted.arms)}
    strata, stratum = _strata(people, counted, experiment)
    outcomes = [p.outcome for p in people]
    several = len(counted.periods) > 1
    period = [counted.period_of[p.assigned.flow, p.assigned.version] for p in people]
    return Sample(
        counted.arms,
        np.array([index[_arm(p, experiment)] for p in people], dtype=int),
        np.array([o.back for o in outcomes], dtype=bool),
        np.array([o.started for o in outcomes], dtype=bool),
        np.array([o.ended_before for o in outcomes], dtype=bool),
        np.array([p.assigned.at.astimezone(zone).toordinal() for p in people], dtype=int),
        np.array([o.start_day for o in outcomes], dtype=int),
        np.array([o.mature_day for o in outcomes], dtype=int),
        np.array([o.after for o in outcomes], dtype=int),
        np.array([o.value for o in outcomes], dtype=float),
        stratum=np.array(stratum, dtype=int),
        strata=strata,
        period=np.array(period, dtype=int) if several else None,
        periods=counted.periods if several else (),
        reached=np.array([p.reached for p in people], dtype=bool),
        guards={name: np.array([_guard(name, p) for p in people], dtype=float) for name in GUARDS},
    )


def _strata(people: Sequence[Person], counted: Counted, experiment: Declared) -> tuple[tuple[str, ...], list[int]]:
    """Levels: those of the flows where several make the experiment, else the primary tier at assignment."""
    if len(experiment.flows) > 1:
        named = [p.assigned.flow for p in people]
    else:
        named = [counted.levels.get(p.assigned.user_id) or "unscored" for p in people]
    names = tuple(dict.fromkeys(named))
    return names, [names.index(n) for n in named]


def _guard(name: str, person: Person) -> float:
    """Since the clock started."""
    if person.first is None:
        return 0.0
    since = person.first.due_at
    if name == "messages":
        return float(sum(1 for t in person.touches if t.state == "sent" and t.channel is not None))
    times = {"unsubscribe": person.opted_out, "complaint": person.complaints, "refund": [r.at for r in person.refunds]}[name]
    return float(any(t >= since for t in times))


def _contamination(counted: Counted, besides: Besides) -> dict[str, int]:
    def was_sent(p: Person) -> bool:
        return p.assigned.held_out and any(t.state in ("sent", "sending", "unknown") and t.channel is not None for t in p.touches)

    return {"holdout_sent": sum(map(was_sent, counted.people)), "two_arms": besides.two_arms, "merged": besides.merged}


def _about(work: Work, experiment: Declared, counted: Counted, besides: Besides) -> dict[str, object]:
    versions: dict[str, list[int]] = defaultdict(list)
    for flow, number in sorted(counted.period_of):
        versions[flow].append(number)
    return {
        "flows": [f.id for f in experiment.flows],
        "versions": dict(versions),
        "goal": experiment.goal.name,
        "within": str(experiment.goal.within),
        "salt": salt_of(work.project.settings),
        "algorithm": "sha256(salt, experiment, draw, user), 53 bits",
        "shares_over_time": list(counted.periods),
        "repeats": besides.repeats,
        "project_holdout": besides.project_holdout,
        "refunded_later": sum(p.outcome.late_refund for p in counted.people),
        "currency": work.project.settings.currency,
        "winner": experiment.experiment.winner,
    }


def _digest(counted: Counted, experiment: Declared) -> str:
    told = hashlib.sha256(f"{experiment.name}{experiment.arms}{experiment.experiment}{experiment.goal}".encode())
    for p in counted.people:
        told.update(f"{p.assigned.key}|{p.assigned.variant}|{p.assigned.held_out}|{p.outcome}|{p.reached}\n".encode())
    return told.hexdigest()
