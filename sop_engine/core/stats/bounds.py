"""Decides how many standard errors an interval is wide: while a test runs and is looked at every day, and at its declared end.

While running the bound is the normal mixture of Robbins (Howard et al. 2021, Waudby-Smith et al. 2024): it holds on every day at
once. `hybrid` spends 0.01 of the error on it and 0.04 on the end.
"""

import math
from dataclasses import dataclass
from typing import Any

MODES = ("hybrid", "open_ended", "fixed")
RUNNING = {"hybrid": 0.01, "open_ended": 0.05, "fixed": 0.05}
END = {"hybrid": 0.04, "open_ended": 0.05, "fixed": 0.05}
UNPLANNED = 5_000  # users an open-ended comparison is tuned to, where no plan says how many


def scale(planned: float, alpha: float) -> float:
    """r squared: what makes the bound tightest when `planned` users are in."""
    return (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / planned


def running_bound(n: Any, planned: float, alpha: float) -> Any:
    """m(n; alpha): standard errors, valid on every day at once. `n` users may be an array."""
    import numpy as np

    grown = np.asarray(n, dtype=float) * scale(planned, alpha)
    return np.sqrt((1 + grown) / grown * np.log((1 + grown) / alpha**2))[()]


def always_valid_p(z: float, n: float, planned: float, alpha: float) -> float:
    """The p-value that may be read on any day: at most alpha exactly when |z| reaches the bound."""
    grown = n * scale(planned, alpha)
    return min(1.0, math.sqrt(1 + grown) * math.exp(-grown * z * z / (2 * (1 + grown))))


@dataclass(frozen=True, slots=True)
class Bound:
    """How one comparison of `n` users is judged: the family it belongs to has `family` comparisons.

    `planned`: users of both arms at the end; None: not known.
    """

    mode: str
    final: bool
    n: float
    planned: float | None
    family: int = 1

    @property
    def alpha(self) -> float:
        """The chance of a false verdict this comparison may spend."""
        return (END if self.final else RUNNING)[self.mode] / self.family

    @property
    def tuned_to(self) -> float:
        """Users the running bound is tightest at."""
        return self.planned if self.planned is not None else UNPLANNED

    @property
    def at_end(self) -> bool:
        """Whether the interval is one for a single look."""
        return self.final or self.mode == "fixed"

    @property
    def multiplier(self) -> float:
        """Standard errors."""
        if not self.at_end:
            return float(running_bound(self.n, self.tuned_to, self.alpha))
        from scipy.stats import norm

        return float(norm.isf(self.alpha / 2))
