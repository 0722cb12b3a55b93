"""Decides what is told of each tier: rates by arm, and the difference with a p-value adjusted for looking at many tiers."""

from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.judge import joined, strata_of
from sop_engine.core.comparison.sample import Sample
from sop_engine.core.comparison.values import StratumTold
from sop_engine.core.stats.bounds import Bound
from sop_engine.core.stats.p_values import benjamini_hochberg, p_value
from sop_engine.core.stats.strata import Stratum

ONE_LOOK = Bound("fixed", True, 1, None)


def tiers_told(mature: Sample, design: Design) -> tuple[StratumTold, ...]:
    """One entry a tier and variant; small tiers joined. p by Benjamini and Hochberg over all of them."""
    if mature.stratum is None or not design.control_known:
        return ()
    listed: list[tuple[str, Stratum]] = []
    for variant in (name for name in mature.arms if name != design.control):
        listed += [(variant, s) for s in joined(strata_of(mature, (variant, design.control), mature.stratum, mature.strata))]
    raw = [p_value(s.x1, s.n1, s.x0, s.n0, ONE_LOOK)[0] if s.both else None for _, s in listed]
    fitted = iter(benjamini_hochberg([p for p in raw if p is not None]))
    return tuple(
        _told(s, variant, design.control, None if p is None else next(fitted)) for (variant, s), p in zip(listed, raw, strict=True)
    )


def _told(s: Stratum, variant: str, control: str, p: float | None) -> StratumTold:
    arms = {control: _counts(s.x0, s.n0), variant: _counts(s.x1, s.n1)}
    difference = s.x1 / s.n1 - s.x0 / s.n0 if s.both else None
    return StratumTold(s.name, variant, arms, difference, p)


def _counts(x: int, n: int) -> dict[str, float | int | None]:
    return {"n": n, "won_back": x, "rate": x / n if n else None}
