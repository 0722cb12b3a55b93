"""Decides how many users a test needs, and how small a difference a number of users can still find."""

import math

POWER = 0.8


def users_needed(p0: float, p1: float, ratio: float, alpha: float, power: float = POWER) -> tuple[float, float]:
    """(control, variant) users to find p1 against p0 with this power; `ratio` is variant users per control user.

    The formula of Fleiss, as statsmodels has it; not rounded.
    """
    from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

    # Its name says one tail, but its alpha is that of a two-sided test; its ratio is second over first, so control over variant.
    variant = float(samplesize_proportions_2indep_onetail(p1 - p0, p0, power, ratio=1 / ratio, alpha=alpha))
    return variant / ratio, variant


def total_needed(p0: float, p1: float, shares: tuple[float, float], alpha: float, power: float = POWER) -> int:
    """Users over all arms, so that control and variant with these shares of them find p1 against p0."""
    control, _ = users_needed(p0, p1, shares[1] / shares[0], alpha, power)
    return math.ceil(control / shares[0])


def power_of(p0: float, p1: float, n0: float, n1: float, alpha: float) -> float:
    """The chance to find a true difference."""
    from scipy.stats import norm

    together = (p0 * n0 + p1 * n1) / (n0 + n1)
    null = math.sqrt(together * (1 - together) * (1 / n0 + 1 / n1))
    alternative = math.sqrt(p0 * (1 - p0) / n0 + p1 * (1 - p1) / n1)
    if alternative == 0:
        return 1.0 if p0 != p1 else alpha
    return float(norm.cdf((abs(p1 - p0) - norm.isf(alpha / 2) * null) / alternative))


def detectable(p0: float, n0: float, n1: float, alpha: float, power: float = POWER) -> float | None:
    """The smallest difference above p0 that is found with this power; None when even 100 % against p0 is not."""
    if n0 <= 0 or n1 <= 0 or not 0 <= p0 < 1:
        return None
    from scipy.optimize import brentq

    def short(d: float) -> float:
        return power_of(p0, p0 + d, n0, n1, alpha) - power

    most = 1 - p0
    if short(most) < 0:
        return None
    return float(brentq(short, 1e-9, most, xtol=1e-14))
