"""Decides every comparison of a report: each variant against the control, then the variants with each other, each family by itself."""

from dataclasses import dataclass, field, replace
from datetime import date
from itertools import combinations

from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.judge import Moment, compare_pair
from sop_engine.core.comparison.over_time import daily, path_of
from sop_engine.core.comparison.revenue import with_money
from sop_engine.core.comparison.sample import Sample
from sop_engine.core.comparison.values import Comparison
from sop_engine.core.stats.p_values import adjusted


@dataclass(frozen=True, eq=False)
class Look:
    """What is looked at: everybody, those whose window is over, the plan, the moment. `costs`: per mature user, by arm."""

    sample: Sample
    mature: Sample
    design: Design
    moment: Moment
    ended_on: date | None = None
    costs: dict[str, float] = field(default_factory=dict)


def compare_all(look: Look) -> tuple[Comparison, ...]:
    """Family 1, each variant against the control; family 2, each pair of variants; p adjusted inside its family."""
    design = look.design
    variants = [name for name in look.sample.arms if name != design.control or not design.control_known]
    first = [(v, design.control) for v in variants] if design.control_known else []
    second = [(b, a) for a, b in combinations(variants, 2)]
    found: list[Comparison] = []
    for pairs in (first, second):
        family = [_one(look, pair, len(pairs)) for pair in pairs]
        values = adjusted([c.p for c in family], at_end=look.moment.final or design.mode == "fixed")
        found += [replace(c, p_adjusted=p) for c, p in zip(family, values, strict=True)]
    return tuple(found)


def _one(look: Look, pair: tuple[str, str], family: int) -> Comparison:
    design, moment = look.design, look.moment
    together = _since_both(look.mature, pair)
    found = with_money(compare_pair(together, design, moment, pair, family), together, design, moment, look.costs)
    if not design.dated or design.data_through is None:
        return found
    days = daily(_since_both(look.sample, pair), pair, design.data_through)
    if days is None:
        return found
    n = int(days.n1[-1] + days.n0[-1])
    path, first = path_of(days, design.bound(pair, n, moment.mature, final=False, family=family), look.ended_on)
    return replace(found, path=path, first_excluded_on=first)


def _since_both(sample: Sample, pair: tuple[str, str]) -> Sample:
    """A variant that was added later is compared only with users assigned since."""
    if sample.period is None or len(sample.periods) < 2:
        return sample
    import numpy as np

    both = np.array([all(shares.get(name, 0.0) > 0 for name in pair) for shares in sample.periods])
    return sample.where(both[sample.period])
