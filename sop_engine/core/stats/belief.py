"""Decides how probable it is that a variant is better, and what a wrong choice would cost; context, and no rule to stop by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Belief:
    """P(variant better), and the expected loss of rate if the variant, or the control, is chosen."""

    p_better: float
    loss_if_variant: float
    loss_if_control: float


def belief(x1: int, n1: int, x0: int, n0: int) -> Belief:
    """With Beta(1, 1) before seeing anything; exact."""
    a1, b1, a0, b0 = x1 + 1, n1 - x1 + 1, x0 + 1, n0 - x0 + 1
    mean1, mean0 = a1 / (a1 + b1), a0 / (a0 + b0)
    better = _p_greater(a1, b1, a0, b0)
    # E[max(p0 - p1, 0)] = E[p0; p0 > p1] - E[p1; p0 > p1], and weighting by p raises a by one.
    lost = mean0 * (1 - _p_greater(a1, b1, a0 + 1, b0)) - mean1 * (1 - _p_greater(a1 + 1, b1, a0, b0))
    lost_control = mean1 * _p_greater(a1 + 1, b1, a0, b0) - mean0 * _p_greater(a1, b1, a0 + 1, b0)
    return Belief(better, max(lost, 0.0), max(lost_control, 0.0))


def _p_greater(a1: int, b1: int, a0: int, b0: int) -> float:
    """P(Beta(a1, b1) > Beta(a0, b0)), a sum over whole a1 (Miller 2015)."""
    import numpy as np
    from scipy.special import betaln

    i = np.arange(a1)
    logs = betaln(a0 + i, b1 + b0) - np.log(b1 + i) - betaln(1 + i, b1) - betaln(a0, b0)
    return float(min(1.0, np.exp(logs).sum()))


def posterior(x: int, n: int) -> tuple[float, float, float]:
    """Mean of the rate and the limits it lies between with 95 %, by the same belief."""
    from scipy.stats import beta

    return (x + 1) / (n + 2), float(beta.ppf(0.025, x + 1, n - x + 1)), float(beta.ppf(0.975, x + 1, n - x + 1))
