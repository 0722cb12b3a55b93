"""Decides what is said about revenue: means always; an interval and a verdict only at the end and with enough buyers."""

from dataclasses import replace

from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.judge import Moment, word_of
from sop_engine.core.comparison.sample import Sample
from sop_engine.core.comparison.values import Comparison, MoneyCompared
from sop_engine.core.stats.money import FEWEST_BUYERS, permutation_p, student


def with_money(found: Comparison, mature: Sample, design: Design, moment: Moment, costs: dict[str, float]) -> Comparison:
    """The comparison with its revenue beside it. `costs`: messages and benefits per mature user, by arm."""
    if mature.value is None:
        return found
    one, two = (mature.value[mature.of_arm(name)] for name in (found.variant, found.control))
    if not len(one) or not len(two):
        return found
    d = float(one.mean() - two.mean())
    reason = _silent(design, moment, int(min((one != 0).sum(), (two != 0).sum())))
    spent = costs.get(found.variant, 0.0) - costs.get(found.control, 0.0)
    margin = 1000 * (d - spent) if costs and moment.final else None
    told = MoneyCompared(d, None, None, None, None, None, reason, 1000 * d, margin)
    if reason is None:
        told = _judged(told, one.tolist(), two.tolist(), found.alpha, design)
    return replace(found, value=told)


def _silent(design: Design, moment: Moment, buyers: int) -> str | None:
    if design.mode == "open_ended":
        return "open_ended"
    if not moment.final or moment.waits:
        return "not_ended"
    return "few_buyers" if buyers < FEWEST_BUYERS else None


def _judged(told: MoneyCompared, one: list[float], two: list[float], alpha: float, design: Design) -> MoneyCompared:
    found = student(one, two, alpha)
    if found is None:
        return told
    capped = None
    if design.revenue_cap is not None:
        cut = student([min(v, design.revenue_cap) for v in one], [min(v, design.revenue_cap) for v in two], alpha)
        capped = {"difference": cut.difference, "low": cut.low, "high": cut.high, "p": cut.p} if cut else None
    return replace(
        told,
        low=found.low,
        high=found.high,
        p=found.p,
        p_permutation=permutation_p(one, two, design.seed),
        verdict=word_of(found.low, found.high),
        capped=capped,
    )
