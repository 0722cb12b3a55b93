"""Decides whether the arms hold as many users as their shares say, and whether converters gather in one arm early."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

RED, AMBER = 0.001, 0.01
ALARM = 20.0  # an e-value from here on: the arms differ already
PRIOR = 100.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """Chi-square of users per arm against what was expected."""

    chi2: float
    p: float


def sample_ratio(counts: Sequence[int], expected: Sequence[float]) -> Ratio | None:
    """The check; None without users or with one arm. Expected numbers are scaled to the same total."""
    total, wanted = sum(counts), sum(expected)
    if len(counts) < 2 or not total or wanted <= 0 or any(e <= 0 for e in expected):
        return None
    from scipy.stats import chisquare

    found = chisquare(list(counts), [e * total / wanted for e in expected], sum_check=False)
    return Ratio(float(found.statistic), float(found.pvalue))


def early_alarm(counts: Sequence[int], shares: Sequence[float], *, k: float = PRIOR) -> float:
    """The e-value of converters per arm against the shares (Lindon and Malek 2022): valid on any day, also with windows still open.

    From 20 on the arms differ already. Never a verdict: it says nothing about how much.
    """
    total = sum(shares)
    prior = [k * s / total for s in shares]
    log = _log_beta([a + c for a, c in zip(prior, counts, strict=True)]) - _log_beta(prior)
    log -= sum(c * math.log(s / total) for c, s in zip(counts, shares, strict=True))
    return math.exp(min(log, 700.0))


def _log_beta(values: Sequence[float]) -> float:
    return sum(math.lgamma(v) for v in values) - math.lgamma(sum(values))
