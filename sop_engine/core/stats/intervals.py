"""Decides between which limits a rate, a difference of two rates and their ratio lie, for a given multiplier of the standard error.

Everything is written from the multiplier m, never from a probability: of an m above 38 the probability is 0 in floating point,
and an interval made from it is not a number. All functions take numbers or numpy arrays.
"""

from typing import Any

Interval = tuple[Any, Any]


def wilson(p: Any, n: Any, m: Any) -> Interval:
    """Limits of a rate p seen in n users (Wilson 1927); n may be an effective size. Of nobody: 0 and 1."""
    import numpy as np

    n = np.asarray(n, dtype=float)
    size = np.where(n > 0, n, 1.0)
    square = np.asarray(m, dtype=float) ** 2
    p = np.clip(p, 0.0, 1.0)
    middle = (p + square / (2 * size)) / (1 + square / size)
    half = m * np.sqrt(p * (1 - p) / size + square / (4 * size**2)) / (1 + square / size)
    low = np.where(n > 0, np.clip(middle - half, 0.0, 1.0), 0.0)
    high = np.where(n > 0, np.clip(middle + half, 0.0, 1.0), 1.0)
    # At 0 and 1 the limit is the rate itself; rounding would leave 1e-17.
    return np.where((p == 0) & (n > 0), 0.0, low)[()], np.where((p == 1) & (n > 0), 1.0, high)[()]


def newcombe(p1: Any, n1: Any, p0: Any, n0: Any, m: Any) -> Interval:
    """Limits of p1 - p0 (Newcombe 1998, method 10): those of the two rates, squared and added."""
    import numpy as np

    low1, high1 = wilson(p1, n1, m)
    low0, high0 = wilson(p0, n0, m)
    d = np.asarray(p1) - np.asarray(p0)
    return (d - np.sqrt((p1 - low1) ** 2 + (high0 - p0) ** 2))[()], (d + np.sqrt((high1 - p1) ** 2 + (p0 - low0) ** 2))[()]


def lift(p1: float, n1: float, p0: float, n0: float, m: float) -> tuple[float | None, float, float | None]:
    """(p1/p0 - 1, its limits), from the same limits of the two rates (Donner and Zou 2012).

    It excludes 0 exactly when the interval of the difference does. With nobody back in the control there is no lift and no
    upper limit: None.
    """
    low1, high1 = (float(v) for v in wilson(p1, n1, m))
    low0, high0 = (float(v) for v in wilson(p0, n0, m))
    product = p1 * p0
    root = _root(product**2 - low1 * (2 * p1 - low1) * high0 * (2 * p0 - high0))
    low = -1.0 if p1 == 0 else low1 * (2 * p1 - low1) / (product + root) - 1
    if p0 == 0:
        return None, low, None
    root = _root(product**2 - high1 * (2 * p1 - high1) * low0 * (2 * p0 - low0))
    return p1 / p0 - 1, low, (product + root) / (low0 * (2 * p0 - low0)) - 1


def _root(value: float) -> float:
    return float(max(value, 0.0) ** 0.5)
