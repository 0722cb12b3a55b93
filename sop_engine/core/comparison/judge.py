"""Decides about two arms: the difference, its interval, and the word; the interval alone makes the word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.sample import Sample
from sop_engine.core.comparison.values import Comparison, StratifiedTold, TooEarly, Verdict
from sop_engine.core.stats.belief import belief
from sop_engine.core.stats.bounds import Bound
from sop_engine.core.stats.intervals import lift, newcombe
from sop_engine.core.stats.p_values import p_value, pooled_z
from sop_engine.core.stats.power import detectable
from sop_engine.core.stats.strata import DEPENDENT, Stratum, dependence, heterogeneity, stratified

FEWEST = 30
WEEK = 7
SMALL_TIER = 30


@dataclass(frozen=True, slots=True)
class Moment:
    """What is common to all comparisons of a report: whether the end is reached, how long it runs, users by arm, what vetoes.

    `mature`: users by arm whose window is over. Where shares are unknown they are observed of these alone, so that users whose
    window is still open change no interval.
    """

    final: bool
    days: int | None  # local dates since the first start, both included; None without dates
    assigned: Mapping[str, int]
    mature: Mapping[str, int]
    veto: bool = False
    waits: bool = False  # fixed mode before its end


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rates of so many users: as counted, or standardised with effective sizes."""

    p1: float
    n1: float
    p0: float
    n0: float

    def interval(self, m: float) -> tuple[float, float]:
        """Limits of the difference."""
        low, high = newcombe(self.p1, self.n1, self.p0, self.n0, m)
        return float(low), float(high)


def compare_pair(sample: Sample, design: Design, moment: Moment, pair: tuple[str, str], family: int) -> Comparison:
    """Variant against control (or a second variant), of the mature users in the sample."""
    variant, control = pair
    kind = "against_control" if control == design.control and design.control_known else "between_variants"
    x, n = sample.won_back(), sample.users()
    x1, n1, x0, n0 = x[variant], n[variant], x[control], n[control]
    bound = design.bound(pair, n1 + n0, moment.mature, final=moment.final, family=family)
    empty = Comparison(kind, variant, control, "too_early", alpha=bound.alpha)
    if not n1 or not n0:
        return _worded(empty, moment, (n1, n0))
    listed = _strata(sample, pair)
    by, primary = _primary(sample, listed)
    standard = stratified(listed) if listed else None
    crude = Pair(x1 / n1, n1, x0 / n0, n0)
    used = Pair(standard.rate1, standard.size1, standard.rate0, standard.size0) if standard and primary else crude
    m = bound.multiplier
    low, high = used.interval(m)
    p, p_kind = p_value(x1, n1, x0, n0, bound) if used is crude else _p_of(used, bound)
    told = None
    if standard is not None and len(listed) > 1:
        limits = standard.interval(m)
        told = StratifiedTold(by, standard.difference, *limits, primary, heterogeneity(listed))
    d, ratio = used.p1 - used.p0, lift(used.p1, used.n1, used.p0, used.n0, m)
    found = replace(
        empty,
        difference=d,
        low=low,
        high=high,
        multiplier=m,
        per_1000=1000 * d,
        per_1000_low=1000 * low,
        per_1000_high=1000 * high,
        lift=ratio[0],
        lift_low=ratio[1],
        lift_high=ratio[2],
        z=pooled_z(used.p1 * used.n1, used.n1, used.p0 * used.n0, used.n0),
        p=p,
        p_kind=p_kind,
        detectable=_detectable(design, moment, pair, (crude.p0, n1, n0), bound),
        bayes=belief(x1, n1, x0, n0),
        stratified=told,
    )
    return _worded(found, moment, (n1, n0))


def _worded(found: Comparison, moment: Moment, sizes: tuple[int, int]) -> Comparison:
    decision = judged(found, moment, sizes)
    if isinstance(decision, TooEarly):
        word, reason = "too_early", decision.reason
    else:
        word, reason = decision.word, None
    disagrees = found.p is not None and word in ("better", "worse", "no_clear_difference")
    borderline = disagrees and found.p is not None and (found.p <= found.alpha) != (word != "no_clear_difference")
    return replace(found, verdict="do_not_trust" if moment.veto else word, reason=reason, borderline=borderline)


def judged(found: Comparison, moment: Moment, sizes: tuple[int, int]) -> Verdict | TooEarly:
    """The verdict of an interval, or why it is too early for one."""
    if min(moment.assigned[found.variant], moment.assigned[found.control]) == 0:
        return TooEarly("no_users")
    if min(sizes) == 0:
        return TooEarly("no_mature_users")
    if min(sizes) < FEWEST:
        return TooEarly("under_30")
    if moment.days is not None and moment.days < WEEK:
        return TooEarly("under_a_week")
    if moment.waits:
        return TooEarly("not_ended")
    return Verdict(word_of(found.low or 0.0, found.high or 0.0))


def word_of(low: float, high: float) -> str:
    """Better when the interval is wholly above 0, worse when wholly below."""
    return "better" if low > 0 else "worse" if high < 0 else "no_clear_difference"


def _p_of(pair: Pair, bound: Bound) -> tuple[float, str]:
    from scipy.stats import norm

    from sop_engine.core.stats.bounds import always_valid_p

    z = pooled_z(pair.p1 * pair.n1, pair.n1, pair.p0 * pair.n0, pair.n0) or 0.0
    if bound.at_end:
        return float(2 * norm.sf(abs(z))), "pooled_z"
    return always_valid_p(z, bound.n, bound.tuned_to, bound.alpha), "always_valid"


def _detectable(design: Design, moment: Moment, pair: tuple[str, str], now: tuple[float, int, int], bound: Bound) -> float | None:
    p0, n1, n0 = now
    if design.planned is not None:
        size1, size0 = (max(design.planned * design.share(arm, moment.mature), 1.0) for arm in pair)
    else:
        size1, size0 = float(n1), float(n0)
    final = Bound(bound.mode, True, bound.n, bound.planned, bound.family)
    return detectable(p0, size0, size1, final.alpha)


def _strata(sample: Sample, pair: tuple[str, str]) -> list[Stratum]:
    """Counts by period if the shares changed, else by tier; tiers that are small in an arm are joined."""
    if sample.period is not None and len(sample.periods) > 1:
        return strata_of(sample, pair, sample.period, tuple(f"period {i + 1}" for i in range(len(sample.periods))))
    if sample.stratum is not None and len(sample.strata) > 1:
        return joined(strata_of(sample, pair, sample.stratum, sample.strata))
    return []


def strata_of(sample: Sample, pair: tuple[str, str], column: object, names: Sequence[str]) -> list[Stratum]:
    """Counts of two arms by the values of a column; those with nobody are left out."""
    import numpy as np

    found = []
    one, two = (sample.of_arm(name) for name in pair)
    for index, name in enumerate(names):
        inside = np.asarray(column) == index
        both = [(int((sample.back & arm & inside).sum()), int((arm & inside).sum())) for arm in (one, two)]
        counts = [number for pair_counts in both for number in pair_counts]
        if counts[1] + counts[3]:
            found.append(Stratum(name, *counts))
    return found


def joined(listed: Sequence[Stratum]) -> list[Stratum]:
    """Tiers with fewer than 30 users in an arm are joined as `rest`."""
    large = [s for s in listed if min(s.n1, s.n0) >= SMALL_TIER]
    small = [s for s in listed if min(s.n1, s.n0) < SMALL_TIER]
    if len(small) < 2:
        return list(listed)
    sums = [sum(getattr(s, part) for s in small) for part in ("x1", "n1", "x0", "n0")]
    return [*large, Stratum("rest", *sums)]


def _primary(sample: Sample, listed: Sequence[Stratum]) -> tuple[str, bool]:
    if sample.period is not None and len(sample.periods) > 1:
        return "period", True
    p = dependence(listed)
    return "tier", p is not None and p < DEPENDENT
