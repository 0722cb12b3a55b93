"""Decides what is known about the mean revenue per user: its difference, interval and p, or why nothing may be said yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FEWEST_BUYERS = 30
PERMUTATIONS = 9_999
MOST_BUYERS = 20_000  # beyond, permuting takes too long and adds nothing


@dataclass(frozen=True, slots=True)
class Student:
    """Pooled-variance Student: difference of means with its interval, t, degrees of freedom and p."""

    difference: float
    low: float
    high: float
    t: float
    df: float
    p: float


def student(variant: Sequence[float], control: Sequence[float], alpha: float) -> Student | None:
    """The comparison of two means. Pooled variance: with a small hold-out Welch's rejects a true null far too often.

    None where nobody spent anything, or everybody the same: nothing can be said.
    """
    if len(variant) < 2 or len(control) < 2 or len({*variant, *control}) < 2:
        return None
    from scipy.stats import ttest_ind

    found = ttest_ind(variant, control, equal_var=True)
    limits = found.confidence_interval(1 - alpha)
    difference = sum(variant) / len(variant) - sum(control) / len(control)
    return Student(difference, float(limits.low), float(limits.high), float(found.statistic), float(found.df), float(found.pvalue))


def permutation_p(variant: Sequence[float], control: Sequence[float], seed: int, *, times: int = PERMUTATIONS) -> float | None:
    """Two-sided p of the difference of means under random re-assignment. Only buyers matter: how many of them fall into the control
    is hypergeometric, and which is a random subset. None without buyers, or with too many.
    """
    import numpy as np

    buyers = np.array([v for v in (*variant, *control) if v != 0], dtype=float)
    n1, n0 = len(variant), len(control)
    if not 0 < len(buyers) <= MOST_BUYERS or not n1 or not n0:
        return None
    seen = abs(sum(variant) / n1 - sum(control) / n0)
    random = np.random.default_rng(seed)
    sizes = random.hypergeometric(len(buyers), n1 + n0 - len(buyers), n0, size=times)
    total = float(buyers.sum())
    slack = 1e-9 * max(1.0, abs(total))
    count = sum(1 for size in sizes if abs(_difference(random, buyers, int(size), total, (n1, n0))) >= seen - slack / min(n1, n0))
    return (1 + count) / (times + 1)


def _difference(random: Any, buyers: Any, size: int, total: float, sizes: tuple[int, int]) -> float:
    held = float(buyers[random.permutation(len(buyers))[:size]].sum())
    return (total - held) / sizes[0] - held / sizes[1]
