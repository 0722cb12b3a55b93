"""Decides what is told of each arm: users, returns, rate with its limits, money, and the curve of returns."""

from collections.abc import Mapping
from typing import Any

from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.sample import Sample
from sop_engine.core.comparison.values import ArmTold, Money
from sop_engine.core.stats.curve import return_curve
from sop_engine.core.stats.intervals import wilson

Z95 = 1.959963984540054


def arms_told(sample: Sample, mature: Sample, design: Design, funnels: Mapping[str, Mapping[str, Any]]) -> tuple[ArmTold, ...]:
    """Every arm in the order of the file; rates with 95 % limits."""
    assigned, started, over, back = sample.users(), sample.users(sample.started), mature.users(), mature.won_back()
    before = sample.users(sample.ended_before)
    return tuple(
        ArmTold(
            name,
            "control" if name == design.control and design.control_known else "variant",
            assigned[name],
            before[name],
            started[name],
            over[name],
            started[name] - over[name],
            back[name],
            *_rate(back[name], over[name]),
            funnels.get(name),
            money_of(mature, name, design.revenue_cap),
            _curve(sample, name, design),
        )
        for name in sample.arms
    )


def _rate(x: int, n: int) -> tuple[float | None, float | None, float | None]:
    if not n:
        return None, None, None
    low, high = wilson(x / n, n, Z95)
    return x / n, float(low), float(high)


def money_of(mature: Sample, name: str, cap: float | None) -> Money | None:
    """Revenue per mature user of an arm, zeros included."""
    if mature.value is None:
        return None
    mine = mature.value[mature.of_arm(name)]
    buyers, total = int((mine != 0).sum()), float(mine.sum())
    capped = float(mine.clip(max=cap).mean()) if cap is not None and len(mine) else None
    return Money(total / len(mine) if len(mine) else None, total, buyers, total / buyers if buyers else None, capped)


def _curve(sample: Sample, name: str, design: Design) -> tuple[tuple[int, float, float, float, int], ...] | None:
    if not design.dated or design.data_through is None or design.window_days is None:
        return None
    mine = sample.where(sample.started & sample.of_arm(name))
    watched = design.data_through.toordinal() - mine.start_day
    seen = watched >= 0
    came = (mine.after >= 0) & (mine.after <= watched)
    days = [float(a if c else w) for a, w, c, s in zip(mine.after, watched, came, seen, strict=True) if s]
    back = [bool(c) for c, s in zip(came, seen, strict=True) if s]
    until = design.window_days + design.window_days // 2
    return tuple((p.day, p.returned, p.low, p.high, p.at_risk) for p in return_curve(days, back, until))
