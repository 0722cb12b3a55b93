"""Decides the whole report of a comparison: health first, then each variant against the control, then one answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import combinations
from typing import Any

from sop_engine.core.comparison.arms import arms_told
from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.guarded import guards_of
from sop_engine.core.comparison.health import AMBER_WARNINGS, FEW_RETURNS, check_ratio, warnings_of
from sop_engine.core.comparison.judge import Moment, compare_pair
from sop_engine.core.comparison.over_time import daily, end_of, path_of
from sop_engine.core.comparison.planned import plan_told
from sop_engine.core.comparison.revenue import with_money
from sop_engine.core.comparison.sample import Sample
from sop_engine.core.comparison.sentences import answer_of
from sop_engine.core.comparison.tiers import tiers_told
from sop_engine.core.comparison.values import Comparison, Health, NaturalReturn, Reached, Report, Source
from sop_engine.core.stats.p_values import adjusted
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
    comparisons = compare_all(sample, mature, design, moment, ended_on, dict(known.costs))
    arms = arms_told(sample, mature, design, known.funnels)
    guards = guards_of(mature, design, moment)
    overran = ended_on is not None and design.data_through is not None and ended_on < design.data_through
    more = [
        w
        for w, holds in (("overran", overran), ("merged", known.contamination.get("merged")), ("few_returns", _few(mature, design)))
        if holds
    ]
    warnings = warnings_of(mature if not design.dated else sample, design, checked, comparisons, more)
    harm = any(g.state in ("harm", "breached") for g in guards)
    status = "red" if checked.veto else "amber" if harm or AMBER_WARNINGS & {*warnings} else "green"
    contamination = {key: known.contamination.get(key, 0) for key in ("holdout_sent", "two_arms", "merged")}
    plan = plan_told(sample, mature, design, moment, ended_on)
    report = Report(
        SCHEMA,
        known.source,
        known.as_of,
        design.data_through.isoformat() if design.data_through else None,
        known.engine,
        plan,
        Health(status, checked.ratio, contamination, warnings, _alarm(sample, design)),
        arms,
        comparisons,
        tiers_told(mature, design),
        guards,
        _reached(sample, mature, design, moment),
        known.natural_return,
        answer_of(comparisons, arms, plan, checked, known.natural_return),
    )
    return report


def compare_all(
    sample: Sample, mature: Sample, design: Design, moment: Moment, ended_on: date | None, costs: dict[str, float]
) -> tuple[Comparison, ...]:
    """Family 1, each variant against the control; family 2, each pair of variants; p adjusted inside its family."""
    variants = [name for name in sample.arms if name != design.control or not design.control_known]
    first = [(v, design.control) for v in variants] if design.control_known else []
    second = [(b, a) for a, b in combinations(variants, 2)]
    found: list[Comparison] = []
    for pairs in (first, second):
        family = [_one(sample, mature, design, moment, ended_on, pair, len(pairs), costs) for pair in pairs]
        values = adjusted([c.p for c in family], at_end=moment.final or design.mode == "fixed")
        found += [replace(c, p_adjusted=p) for c, p in zip(family, values, strict=True)]
    return tuple(found)


def _one(
    sample: Sample, mature: Sample, design: Design, moment: Moment, ended_on: date | None, pair: tuple[str, str], family: int,
    costs: dict[str, float],
) -> Comparison:  # fmt: skip
    together = _since_both(mature, pair)
    found = with_money(compare_pair(together, design, moment, pair, family), together, design, moment, costs, family)
    if not design.dated or design.data_through is None:
        return found
    days = daily(_since_both(sample, pair), pair, design.data_through)
    if days is None:
        return found
    n = int(days.n1[-1] + days.n0[-1])
    path, first = path_of(days, design.bound(pair, n, moment.assigned, final=False, family=family), ended_on)
    return replace(found, path=path, first_excluded_on=first)


def _since_both(sample: Sample, pair: tuple[str, str]) -> Sample:
    """A variant that was added later is compared only with users assigned since."""
    if sample.period is None or len(sample.periods) < 2:
        return sample
    import numpy as np

    both = np.array([all(shares.get(name, 0.0) > 0 for name in pair) for shares in sample.periods])
    return sample.where(both[sample.period])


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
    return Moment(final, days, sample.users(), veto, waits)


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
    then = replace(moment, assigned=everybody.users())
    return Reached(arms_told(everybody, inside, bare, {}), compare_all(everybody, inside, bare, then, None, {}))
