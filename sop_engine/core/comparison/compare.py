"""Decides the whole report of a comparison: health first, then each variant against the control, then one answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from sop_engine.core.comparison.arms import arms_told
from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.families import Look, compare_all
from sop_engine.core.comparison.guarded import guards_of
from sop_engine.core.comparison.health import AMBER_WARNINGS, FEW_RETURNS, Checked, check_ratio, warnings_of
from sop_engine.core.comparison.judge import Moment
from sop_engine.core.comparison.over_time import end_of
from sop_engine.core.comparison.planned import plan_told
from sop_engine.core.comparison.sample import Sample
from sop_engine.core.comparison.sentences import answer_of
from sop_engine.core.comparison.tiers import tiers_told
from sop_engine.core.comparison.values import Health, NaturalReturn, Reached, Report, Source
from sop_engine.core.stats.guardrails import Guard
from sop_engine.core.stats.shares import early_alarm

SCHEMA = "sop.compare/1"


@dataclass(frozen=True, slots=True)
class Known:
    """What stands beside the users: where they come from, contamination, funnels and costs by arm, and the natural return."""

    source: Source
    engine: str
    as_of: str | None = None
    contamination: Mapping[str, int] = field(default_factory=dict)
    funnels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)  # messages and benefits per mature user, by arm
    natural_return: NaturalReturn | None = None


def compare(sample: Sample, design: Design, known: Known) -> Report:
    """The report. Its numbers are those of the declared end once it is reached: later users only redraw the curve."""
    ended_on = end_of(sample, design)
    through = ended_on or design.data_through
    mature = sample.where(_mature(sample, design, through))
    checked = check_ratio(sample, design, known.contamination)
    moment = _moment(sample, mature, design, ended_on, veto=checked.veto is not None)
    comparisons = compare_all(Look(sample, mature, design, moment, ended_on, dict(known.costs)))
    arms = arms_told(sample, mature, design, known.funnels)
    plan = plan_told(sample, mature, design, moment, ended_on)
    guards = guards_of(mature, design, moment)
    warnings = warnings_of(mature if not design.dated else sample, design, checked, comparisons, _more(mature, design, known, ended_on))
    return Report(
        SCHEMA,
        known.source,
        known.as_of,
        design.data_through.isoformat() if design.data_through else None,
        known.engine,
        plan,
        Health(_status(checked, guards, warnings), checked.ratio, _contamination(known), warnings, _alarm(sample, design)),
        arms,
        comparisons,
        tiers_told(mature, design),
        guards,
        _reached(sample, mature, design, moment),
        known.natural_return,
        answer_of(comparisons, arms, plan, checked, known.natural_return),
    )


def _more(mature: Sample, design: Design, known: Known, ended_on: date | None) -> list[str]:
    overran = ended_on is not None and design.data_through is not None and ended_on < design.data_through
    merged, few = bool(known.contamination.get("merged")), _few(mature, design)
    return [word for word, holds in (("overran", overran), ("merged", merged), ("few_returns", few)) if holds]


def _status(checked: Checked, guards: Sequence[Guard], warnings: Sequence[str]) -> str:
    harm = any(g.state in ("harm", "breached") for g in guards)
    return "red" if checked.veto else "amber" if harm or AMBER_WARNINGS & {*warnings} else "green"


def _contamination(known: Known) -> dict[str, int]:
    return {key: known.contamination.get(key, 0) for key in ("holdout_sent", "two_arms", "merged")}


def _mature(sample: Sample, design: Design, through: date | None) -> Any:
    if not design.dated or through is None:
        return sample.started
    return sample.started & (sample.mature_day <= through.toordinal())


def _moment(sample: Sample, mature: Sample, design: Design, ended_on: date | None, *, veto: bool) -> Moment:
    days = None
    if design.dated and design.data_through is not None:
        begun = sample.start_day[sample.started]
        last = (ended_on or design.data_through).toordinal()
        days = last - int(begun.min()) + 1 if len(begun) else 0
    immature = int(sample.started.sum()) - mature.size()
    if design.mode == "open_ended":
        final, waits = False, False
    elif design.planned is not None:
        final = ended_on is not None if design.dated else mature.size() >= design.planned
        waits = design.mode == "fixed" and not final
    else:
        final, waits = immature == 0, immature > 0
    return Moment(final, days, sample.users(), mature.users(), veto, waits)


def _few(mature: Sample, design: Design) -> bool:
    """Fewer than 5 returns are expected in the control, were the arms alike."""
    x, n = mature.won_back(), mature.users()
    total = sum(n.values())
    return design.control_known and total > 0 and n[design.control] * sum(x.values()) / total < FEW_RETURNS


def _alarm(sample: Sample, design: Design) -> float | None:
    if not design.dated or not design.control_known:
        return None
    x, n = sample.where(sample.started).won_back(), sample.users(sample.started)
    shares: Sequence[float] = [design.share(name, n) for name in sample.arms]
    return early_alarm(list(x.values()), shares) if min(shares, default=0) > 0 else None


def _reached(sample: Sample, mature: Sample, design: Design, moment: Moment) -> Reached | None:
    """Those whose first touch passed the last look, or would have: the same question of the hold-out and of the variants."""
    if mature.reached is None or sample.reached is None:
        return None
    inside, everybody = mature.where(mature.reached), sample.where(sample.reached)
    bare = replace(design, dated=False)
    then = replace(moment, assigned=everybody.users(), mature=inside.users())
    return Reached(arms_told(everybody, inside, bare, {}), compare_all(Look(everybody, inside, bare, then)))
