"""Simulates thousands of experiments on the product's own functions: how often is something claimed that is not so, or missed.

28 daily looks; users per day as (control, variant); planned is the total; verdicts from 30 users in an arm on.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from sop_engine.core.stats.bounds import RUNNING, Bound, running_bound
from sop_engine.core.stats.intervals import newcombe
from sop_engine.core.stats.shares import early_alarm, sample_ratio
from sop_engine.core.stats.strata import Stratum, stratified

LOOKS = 28
FEWEST = 30
Z95 = 1.959963984540054
Random = np.random.Generator


@dataclass(frozen=True)
class Check:
    """Seen share of runs in which something happened, beside what is expected. `bounded`: it may not exceed 0.05 in the long run."""

    name: str
    seen: float
    expected: float
    runs: int
    bounded: bool = True

    @property
    def limit(self) -> float:
        """How far seen may be from expected."""
        return 0.003 + 4 * sqrt(self.expected * (1 - self.expected) / self.runs)

    @property
    def holds(self) -> bool:
        """Whether it is close enough; in long runs also below 0.05."""
        near = abs(self.seen - self.expected) <= self.limit
        return near and (not self.bounded or self.runs < 100_000 or self.seen <= 0.05)

    def __str__(self) -> str:
        return f"{'ok ' if self.holds else 'BAD'} {self.name:64} seen {self.seen:.4f} expected {self.expected:.4f} ± {self.limit:.4f}"


def paths(random: Random, a_day: int, rate: float, runs: int, looks: int = LOOKS) -> Any:
    """Users back so far, by run and look."""
    return random.binomial(a_day, rate, size=(runs, looks)).cumsum(axis=1)


def multipliers(mode: str, sizes: Any, planned: float, family: int) -> Any:
    """Of each look: the running bound, at the last look that of the end."""
    if mode == "naive":
        return np.full(len(sizes), Z95)
    m = running_bound(sizes, planned, RUNNING[mode] / family)
    if mode in ("hybrid", "fixed"):
        m = np.array(m)
        m[-1] = Bound(mode, True, 1, planned, family).multiplier
        if mode == "fixed":
            m[:-1] = np.inf  # judged once
    return m


def daily(random: Random, day: tuple[int, int], rates: tuple[float, float], runs: int, mode: str = "hybrid", family: int = 1) -> Any:
    """(low, high, judged) of every run and look."""
    looks = np.arange(1, LOOKS + 1)
    x0, x1 = paths(random, day[0], rates[0], runs), paths(random, day[1], rates[1], runs)
    return limits((x0, x1), (day[0] * looks, day[1] * looks), mode, family)


def limits(x: tuple[Any, Any], n: tuple[Any, Any], mode: str = "hybrid", family: int = 1) -> Any:
    """(low, high, judged) for counts so far of control and variant."""
    (x0, x1), (n0, n1) = x, n
    planned = float(n0[-1] + n1[-1])
    m = multipliers(mode, n0 + n1, planned, family)
    m = np.where(np.isinf(m), 1e6, m)
    low, high = newcombe(x1 / n1, n1, x0 / n0, n0, m)
    return low, high, (n0 >= FEWEST) & (n1 >= FEWEST)


def any_verdict(random: Random, day: tuple[int, int], rates: tuple[float, float], runs: int, mode: str = "hybrid") -> float:
    """Share of runs with any verdict on any day."""
    low, high, judged = daily(random, day, rates, runs, mode)
    return float((((low > 0) | (high < 0)) & judged).any(axis=1).mean())


def found(random: Random, day: tuple[int, int], rates: tuple[float, float], runs: int, mode: str = "hybrid") -> float:
    """Share of runs in which the variant is called better on some day."""
    low, _, judged = daily(random, day, rates, runs, mode)
    return float(((low > 0) & judged).any(axis=1).mean())


def outside(random: Random, day: tuple[int, int], rates: tuple[float, float], runs: int) -> float:
    """Share of runs in which the true difference is ever outside the interval."""
    low, high, judged = daily(random, day, rates, runs)
    d = rates[1] - rates[0]
    return float((((low > d) | (high < d)) & judged).any(axis=1).mean())


def three_variants(random: Random, day: tuple[int, int], rate: float, runs: int, *, adjusted: bool = True) -> float:
    """Three variants and a hold-out without effect: share of runs with any false verdict against the hold-out."""
    looks = np.arange(1, LOOKS + 1)
    x0 = paths(random, day[0], rate, runs)
    wrong = np.zeros(runs, dtype=bool)
    for _ in range(3):
        sizes = (day[0] * looks, day[1] * looks)
        low, high, judged = limits((x0, paths(random, day[1], rate, runs)), sizes, family=3 if adjusted else 1)
        wrong |= (((low > 0) | (high < 0)) & judged).any(axis=1)
    return float(wrong.mean())


def ratio_flags(random: Random, shares: tuple[float, ...], a_day: int, looks: int, runs: int, true: tuple[float, ...] = ()) -> Any:
    """The first look at which the sample ratio is red, by run; 0 for never."""
    counts = random.multinomial(a_day, true or shares, size=(runs, looks)).cumsum(axis=1)
    expected = np.arange(1, looks + 1)[:, None] * a_day * np.array(shares)
    from scipy.stats import chi2

    red = chi2.sf(((counts - expected) ** 2 / expected).sum(axis=2), len(shares) - 1) < 0.001
    one = sample_ratio([int(c) for c in counts[0, -1]], [float(e) for e in expected[-1]])
    assert one is not None
    assert (one.p < 0.001) == red[0, -1]  # the product's own word for the last look of the first run
    return np.where(red.any(axis=1), red.argmax(axis=1) + 1, 0)


def late_returns(random: Random, means: tuple[float, float], shift: int, runs: int, *, immature: bool = False) -> float:
    """40 users a day and arm on days 0-27, 10 % return within 14 days; the variant takes in users only from
    day `shift` on. Share of runs with any false verdict."""
    window, days, users, looks = 14, 28, 40, 42
    counts = []
    for arm, mean in enumerate(means):
        begin = np.arange(shift if arm else 0, days)
        weights = 1 - np.exp(-np.arange(1, window + 1) / mean)
        steps = np.diff(np.concatenate([[0.0], weights])) / weights[-1] * 0.1
        back = random.multinomial(users, [*steps, 0.9], size=(runs, len(begin)))[:, :, :window]
        counts.append(_so_far(back, begin, looks, immature=immature))
    (x0, n0), (x1, n1) = counts
    planned = float(users * (2 * days - shift))
    sizes = n0 + n1
    final = sizes >= planned
    m = np.where(final, Bound("hybrid", True, 1, planned, 1).multiplier, running_bound(np.maximum(sizes, 1), planned, 0.01))
    some0, some1 = np.maximum(n0, 1), np.maximum(n1, 1)
    low, high = newcombe(x1 / some1, some1, x0 / some0, some0, m)
    judged = (n0 >= FEWEST) & (n1 >= FEWEST)
    return float((((low > 0) | (high < 0)) & judged).any(axis=1).mean())


def _so_far(back: Any, begin: Any, looks: int, *, immature: bool) -> tuple[Any, Any]:
    """Counts at each look: of the users whose window is over, or (wrongly) of everybody who has begun."""
    runs, _, window = back.shape
    x = np.zeros((runs, looks))
    n = np.zeros(looks)
    for look in range(looks):
        for day, started in enumerate(begin):
            age = look - started
            if age >= window or (immature and age >= 0):
                n[look] += 40
                x[:, look] += back[:, day, : min(age, window)].sum(axis=1)
    return x, n


def strata_misses(random: Random, runs: int, *, crude: bool = False) -> float:
    """100/900 users at 2 %, then 900/100 at 10 %, no effect: how often the interval misses 0."""
    sizes, rates = ((100, 900), (900, 100)), (0.02, 0.10)
    drawn = [(random.binomial(n0, p, runs), random.binomial(n1, p, runs)) for (n0, n1), p in zip(sizes, rates, strict=True)]
    missed = 0
    for run in range(runs):
        listed = [Stratum(str(i), int(drawn[i][1][run]), sizes[i][1], int(drawn[i][0][run]), sizes[i][0]) for i in range(2)]
        if crude:
            listed = [Stratum("all", *(sum(getattr(s, f) for s in listed) for f in ("x1", "n1", "x0", "n0")))]
        one = stratified(listed)
        assert one is not None
        low, high = one.interval(Z95)
        missed += low > 0 or high < 0
    return missed / runs


def revenue_claims(random: Random, sizes: tuple[int, int], runs: int, *, equal_var: bool = True, fewest: int = 0) -> float:
    """No effect; buyers 0.6 %, spend lognormal: how often pooled Student (or Welch) claims a difference; none below `fewest` buyers."""
    from scipy.stats import ttest_ind_from_stats

    claims = 0
    for _ in range(runs):
        told = []
        for n in sizes:
            buyers = int(random.binomial(n, 0.006))
            spend = random.lognormal(4.4, 0.9, buyers)
            mean = spend.sum() / n
            variance = ((spend**2).sum() - n * mean**2) / (n - 1)
            told.append((mean, sqrt(max(variance, 0.0)), n, buyers))
        if min(t[3] for t in told) < max(fewest, 1):
            continue
        (m0, s0, n0, _), (m1, s1, n1, _) = told
        claims += ttest_ind_from_stats(m1, s1, n1, m0, s0, n0, equal_var=equal_var).pvalue < 0.05
    return claims / runs


def alarms(random: Random, day: tuple[int, int], rate: float, runs: int) -> float:
    """Share of runs in which the early alarm rings on any day without an effect."""
    x0, x1 = paths(random, day[0], rate, runs), paths(random, day[1], rate, runs)
    weights = (day[0] / sum(day), day[1] / sum(day))
    from scipy.special import betaln

    prior = [100 * w for w in weights]
    log = betaln(prior[0] + x0, prior[1] + x1) - betaln(*prior) - x0 * np.log(weights[0]) - x1 * np.log(weights[1])
    product = early_alarm([int(x0[0, -1]), int(x1[0, -1])], weights)
    assert abs(np.log(product) - log[0, -1]) < 1e-9
    return float((log >= np.log(20)).any(axis=1).mean())
