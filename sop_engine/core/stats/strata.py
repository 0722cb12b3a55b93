"""Decides what a comparison says when users come from strata (tiers, periods) whose shares differ between the arms."""

from collections.abc import Sequence
from dataclasses import dataclass

from sop_engine.core.stats.intervals import newcombe

DEPENDENT = 0.001  # arm and stratum are not independent: the crude difference misleads


@dataclass(frozen=True, slots=True)
class Stratum:
    """Counts of one stratum: users back (x) and users (n) of the variant (1) and the control (0)."""

    name: str
    x1: int
    n1: int
    x0: int
    n0: int

    @property
    def both(self) -> bool:
        """Whether both arms have users in it; else it cannot be compared."""
        return self.n1 > 0 and self.n0 > 0


@dataclass(frozen=True, slots=True)
class Stratified:
    """The difference of standardised rates, and effective sizes that give its interval by Newcombe's method."""

    rate1: float
    rate0: float
    size1: float
    size0: float

    @property
    def difference(self) -> float:
        """Variant minus control."""
        return self.rate1 - self.rate0

    def interval(self, m: float) -> tuple[float, float]:
        """Its limits for a multiplier."""
        low, high = newcombe(self.rate1, self.size1, self.rate0, self.size0, m)
        return float(low), float(high)


def stratified(strata: Sequence[Stratum]) -> Stratified | None:
    """Both arms standardised to the strata's shares of all users (effective sizes: Korn and Graubard 1998).

    Of one stratum it is the plain comparison. Strata in which an arm has nobody are left out; None when none is left.
    """
    usable = [s for s in strata if s.both]
    total = sum(s.n1 + s.n0 for s in usable)
    if not total:
        return None
    weights = [(s.n1 + s.n0) / total for s in usable]
    rate1, size1 = _arm([(s.x1, s.n1) for s in usable], weights)
    rate0, size0 = _arm([(s.x0, s.n0) for s in usable], weights)
    return Stratified(rate1, rate0, size1, size0)


def _arm(counts: Sequence[tuple[int, int]], weights: Sequence[float]) -> tuple[float, float]:
    if len(counts) == 1:
        return counts[0][0] / counts[0][1], float(counts[0][1])
    rate = sum(w * x / n for w, (x, n) in zip(weights, counts, strict=True))
    shrunk = [(x + 0.5) / (n + 1) for x, n in counts]
    variance = sum(w * w * q * (1 - q) / n for w, q, (_, n) in zip(weights, shrunk, counts, strict=True))
    q = sum(w * one for w, one in zip(weights, shrunk, strict=True))
    return rate, q * (1 - q) / variance


def plug_in_error(strata: Sequence[Stratum]) -> float:
    """The standard error of the standardised difference, from the observed rates: for orientation, since with nobody back it is 0."""
    usable = [s for s in strata if s.both]
    total = sum(s.n1 + s.n0 for s in usable)
    variances = [_variance(s.x1, s.n1) + _variance(s.x0, s.n0) for s in usable]
    weights = [(s.n1 + s.n0) / total for s in usable]
    return float(sum(w * w * v for w, v in zip(weights, variances, strict=True)) ** 0.5)


def _variance(x: int, n: int) -> float:
    return x / n * (1 - x / n) / n


def dependence(strata: Sequence[Stratum]) -> float | None:
    """p that arm and stratum are independent (chi-square); None where it cannot be asked."""
    table = [[s.n1 for s in strata], [s.n0 for s in strata]]
    if len(strata) < 2 or any(sum(row) == 0 for row in table) or any(s.n1 + s.n0 == 0 for s in strata):
        return None
    from scipy.stats import chi2_contingency

    return float(chi2_contingency(table, correction=False)[1])


def heterogeneity(strata: Sequence[Stratum]) -> float | None:
    """p that the odds ratio is the same in all strata (Breslow-Day); None where it cannot be asked."""
    found = association(strata)
    return found.p_same_odds if found else None


@dataclass(frozen=True, slots=True)
class Association:
    """Of several tables at once: Mantel-Haenszel chi-square with its p, the common odds ratio, and Breslow-Day with its p."""

    chi2: float
    p: float
    odds_ratio: float
    same_odds_chi2: float
    p_same_odds: float


def association(strata: Sequence[Stratum]) -> Association | None:
    """Over the strata in which nothing is empty: one in which nobody, or everybody, came back says nothing about odds.

    None with fewer than two of them, or where the common odds ratio does not exist.
    """
    import numpy as np

    kept = [s for s in strata if s.both and 0 < s.x1 + s.x0 < s.n1 + s.n0]
    up = sum(s.x1 * (s.n0 - s.x0) / (s.n1 + s.n0) for s in kept)
    down = sum(s.x0 * (s.n1 - s.x1) / (s.n1 + s.n0) for s in kept)
    if len(kept) < 2 or up == 0 or down == 0:
        return None
    from statsmodels.stats.contingency_tables import StratifiedTable

    table = StratifiedTable([np.array([[s.x1, s.x0], [s.n1 - s.x1, s.n0 - s.x0]], dtype=float) for s in kept])
    null, same = table.test_null_odds(correction=False), table.test_equal_odds()
    return Association(float(null.statistic), float(null.pvalue), float(table.oddsratio_pooled), float(same.statistic), float(same.pvalue))
