"""Decides the p-value that stands beside a verdict, which never decides it; and adjusts p-values for many comparisons."""

import math
from collections.abc import Sequence

from sop_engine.core.stats.bounds import Bound, always_valid_p

SMALLEST_CELL = 5
MOST_BOSCHLOO = 50_000  # n1 * n0; beyond it takes seconds to minutes


def pooled_z(x1: float, n1: float, x0: float, n0: float) -> float | None:
    """The z of two rates with pooled variance; None where it does not exist (nobody there, or all alike)."""
    if n1 <= 0 or n0 <= 0:
        return None
    together = (x1 + x0) / (n1 + n0)
    variance = together * (1 - together) * (1 / n1 + 1 / n0)
    return (x1 / n1 - x0 / n0) / math.sqrt(variance) if variance > 0 else None


def p_value(x1: int, n1: int, x0: int, n0: int, bound: Bound) -> tuple[float | None, str | None]:
    """(p, its kind): always valid while running; at an end pooled z, and for small samples Boschloo's exact test or Fisher's."""
    if n1 <= 0 or n0 <= 0:
        return None, None
    z = pooled_z(x1, n1, x0, n0)
    if not bound.at_end:
        return always_valid_p(z or 0.0, bound.n, bound.tuned_to, bound.alpha), "always_valid"
    if smallest_expected(x1, n1, x0, n0) >= SMALLEST_CELL:
        return pooled_p(x1, n1, x0, n0), "pooled_z"
    if z is None:
        return 1.0, "fisher"  # nobody came back, or everybody: the arms cannot differ
    if n1 * n0 <= MOST_BOSCHLOO:
        return boschloo(x1, n1, x0, n0), "boschloo"
    return fisher(x1, n1, x0, n0), "fisher"


def smallest_expected(x1: int, n1: int, x0: int, n0: int) -> float:
    """The smallest cell of the table if the arms did not differ."""
    together = (x1 + x0) / (n1 + n0)
    return min(n1, n0) * min(together, 1 - together)


def pooled_p(x1: int, n1: int, x0: int, n0: int) -> float:
    """p of the pooled z, which is Pearson's chi-square without correction."""
    from statsmodels.stats.proportion import proportions_ztest

    return float(proportions_ztest([x1, x0], [n1, n0])[1])


def boschloo(x1: int, n1: int, x0: int, n0: int) -> float:
    """Boschloo's exact p."""
    from scipy.stats import boschloo_exact

    return float(boschloo_exact([[x1, x0], [n1 - x1, n0 - x0]]).pvalue)


def fisher(x1: int, n1: int, x0: int, n0: int) -> float:
    """Fisher's exact p."""
    from scipy.stats import fisher_exact

    return float(fisher_exact([[x1, x0], [n1 - x1, n0 - x0]])[1])


def holm(values: Sequence[float]) -> list[float]:
    """Adjusted so that the chance of any false one among them is kept (Holm 1979)."""
    from statsmodels.stats.multitest import multipletests

    if len(values) < 2:
        return list(values)  # nothing to adjust; the library sweeps the whole process for garbage at every call
    return [float(p) for p in multipletests(list(values), method="holm")[1]]


def benjamini_hochberg(values: Sequence[float]) -> list[float]:
    """Adjusted so that the share of false ones among those called is kept (Benjamini and Hochberg 1995)."""
    from scipy.stats import false_discovery_control

    return [float(p) for p in false_discovery_control(list(values))] if values else []


def adjusted(values: Sequence[float | None], *, at_end: bool) -> list[float | None]:
    """Of one family: Holm at an end, Bonferroni while running; None stays None."""
    known = [p for p in values if p is not None]
    found = iter(holm(known) if at_end else [min(1.0, p * len(values)) for p in known])
    return [None if p is None else next(found) for p in values]
