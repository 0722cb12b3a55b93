"""Decides the guardrails of every variant: against their limits, else against the control."""

from collections.abc import Iterator

from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.judge import Moment
from sop_engine.core.comparison.sample import Sample
from sop_engine.core.stats.guardrails import Guard, guard_control, guard_limit, guard_mean

MEANS = ("messages",)  # counted per user, not yes or no


def guards_of(mature: Sample, design: Design, moment: Moment) -> tuple[Guard, ...]:
    """Every guardrail of every variant, on the mature users."""
    return tuple(g for name in mature.guards for g in _one(name, mature, design, moment))


def _one(name: str, mature: Sample, design: Design, moment: Moment) -> Iterator[Guard]:
    column = mature.guards[name]
    variants = [a for a in mature.arms if a != design.control or not design.control_known]
    n, limit = mature.users(), design.guard_limits.get(name)
    for variant in variants:
        pair = tuple(dict.fromkeys((variant, design.control)))  # without a hold-out the first variant stands for itself
        m = design.bound(pair, sum(n[arm] for arm in pair), moment.mature, final=moment.final, family=len(variants)).multiplier
        mine = column[mature.of_arm(variant)]
        if name in MEANS:
            yield guard_mean(name, variant, [float(v) for v in mine], limit, m)
        elif limit is not None:
            yield guard_limit(name, variant, int((mine > 0).sum()), n[variant], limit, m)
        elif design.control_known:
            held = column[mature.of_arm(design.control)]
            yield guard_control(name, variant, (int((mine > 0).sum()), len(mine)), (int((held > 0).sum()), len(held)), m)
        else:
            yield Guard(name, variant, float((mine > 0).mean()) if len(mine) else None, None, None, None, "unclear")
