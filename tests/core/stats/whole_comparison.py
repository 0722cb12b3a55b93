"""Asks `compare` itself on every look of simulated paths, and the vectorised simulation beside it: both must say the same words."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from sop_engine.core.comparison.compare import Known, compare
from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.sample import counted
from sop_engine.core.comparison.values import Source
from tests.core.stats import simulations as s

KNOWN = Known(Source("csv", "simulated", 0, ""), "test")
A_DAY = 20


@dataclass
class Seen:
    """Looks that were asked, how often each word was said, and where the two did not agree."""

    looks: int = 0
    words: Counter[str] = field(default_factory=Counter)
    unlike: list[str] = field(default_factory=list)


def whole_comparison(
    runs: int, seed: int, rates: tuple[float, float], mode: str = "hybrid", told: Callable[[int], None] | None = None
) -> Seen:
    """So many paths of 28 looks, 20 users a day in each arm at these rates (control, variant). `told` hears of each path that is done."""
    random = np.random.default_rng(seed)
    x0, x1 = (s.paths(random, A_DAY, rate, runs) for rate in rates)
    sizes = A_DAY * np.arange(1, s.LOOKS + 1)
    low, high, judged = s.limits((x0, x1), (sizes, sizes), mode)
    design = Design("holdout", mode=mode, planned=int(2 * sizes[-1]))
    seen = Seen()
    for run, look in product(range(runs), range(s.LOOKS)):
        n = int(sizes[look])
        report = compare(counted({"holdout": (int(x0[run, look]), n), "A": (int(x1[run, look]), n)}), design, KNOWN)
        word = "better" if low[run, look] > 0 else "worse" if high[run, look] < 0 else "no_clear_difference"
        expected, got = word if judged[look] else "too_early", report.comparisons[0].verdict
        seen.looks += 1
        seen.words[got] += 1
        if got != expected:
            seen.unlike.append(f"path {run}, look {look + 1}: compare says {got}, the simulation {expected}")
        if told is not None and look == s.LOOKS - 1:
            told(run + 1)
    return seen
