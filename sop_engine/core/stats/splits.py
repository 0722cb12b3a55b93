"""Decides whether groups of users differ in an outcome: chi-square for yes and no, ranks (Kruskal-Wallis, Mann-Whitney) for numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

ALPHA, POINTS, ENOUGH = 0.05, 5.0, 5.0
"""A split is needed below this p and from so many points on; every cell needs at least so many expected users."""

Verdict = Literal["needed", "not_needed", "insufficient"]


@dataclass(frozen=True, slots=True)
class Group:
    """Users with one value of a dimension.

    `yes`: of how many the outcome holds. Of a number instead: the sum of their ranks among everybody (equal users share a rank), the
    sum over them of t² - 1, where t users are equal, their mean and their median.
    """

    name: str
    users: int
    yes: int = 0
    ranks: float = 0.0
    ties: float = 0.0
    mean: float | None = None
    median: float | None = None


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test says. `points` is the distance between the highest and the lowest of the groups tested: of their rates, or of their
    mean places among all users in percent. `effect`: Cramér's V, or the rank-biserial correlation of two groups, or epsilon squared."""

    verdict: Verdict
    test: Literal["chi_square", "mann_whitney", "kruskal_wallis"]
    groups: tuple[Group, ...]
    few: tuple[Group, ...]
    statistic: float | None = None
    freedom: int = 0
    p: float | None = None
    effect: float | None = None
    points: float | None = None
    highest: str = ""
    lowest: str = ""


def split_by_rate(groups: Sequence[Group]) -> Tested:
    """Chi-square without correction over the groups of which at least 5 users are expected in each cell; the others are `few`."""
    kept, few = _of_enough(groups)
    if len(kept) < 2:
        return Tested("insufficient", "chi_square", tuple(kept), tuple(few))
    total, rate = sum(g.users for g in kept), _rate(kept)
    statistic = sum((g.yes - g.users * rate) ** 2 / (g.users * rate * (1 - rate)) for g in kept)
    places = {g.name: 100 * g.yes / g.users for g in kept}
    return _judged("chi_square", kept, few, statistic, sqrt(statistic / total), places)


def _rate(groups: Sequence[Group]) -> float:
    users = sum(g.users for g in groups)
    return sum(g.yes for g in groups) / users if users else 0.0


def _of_enough(groups: Sequence[Group]) -> tuple[list[Group], list[Group]]:
    """Groups with enough expected users in both cells, and the rest: whoever is left out changes what is expected of the others."""
    kept, few = list(groups), list[Group]()
    while kept:
        rate = _rate(kept)
        least = min(kept, key=lambda g: g.users)
        if least.users * min(rate, 1 - rate) >= ENOUGH:
            break
        kept.remove(least)
        few.append(least)
    return kept, few


def split_by_number(groups: Sequence[Group]) -> Tested:
    """Kruskal-Wallis with ties, which of two groups is Mann-Whitney without correction; groups need 5 users, or all is insufficient."""
    test: Literal["mann_whitney", "kruskal_wallis"] = "mann_whitney" if len(groups) == 2 else "kruskal_wallis"
    total = sum(g.users for g in groups)
    few = tuple(g for g in groups if g.users < ENOUGH)
    even = total**3 - total - sum(g.ties for g in groups)  # 0 when all users are equal
    if few or len(groups) < 2 or even <= 0:
        return Tested("insufficient", test, tuple(g for g in groups if g not in few), few)
    raw = 12 / (total * (total + 1)) * sum(g.ranks**2 / g.users for g in groups) - 3 * (total + 1)
    statistic = raw * (total**3 - total) / even
    places = {g.name: 100 * (g.ranks / g.users - 0.5) / total for g in groups}
    if len(groups) == 2:
        one, other = groups
        effect = abs(2 * (one.ranks - one.users * (one.users + 1) / 2) / (one.users * other.users) - 1)
    else:
        effect = statistic / (total - 1)
    return _judged(test, list(groups), [], statistic, effect, places)


def _judged(
    test: Literal["chi_square", "mann_whitney", "kruskal_wallis"], kept: list[Group], few: list[Group], statistic: float, effect: float,
    places: dict[str, float],
) -> Tested:  # fmt: skip
    from scipy.stats import chi2

    freedom = len(kept) - 1
    p = float(chi2.sf(statistic, freedom))
    highest, lowest = max(places, key=lambda n: places[n]), min(places, key=lambda n: places[n])
    points = places[highest] - places[lowest]
    needed = p < ALPHA and points >= POINTS - 1e-9
    verdict: Verdict = "needed" if needed else "not_needed"
    return Tested(verdict, test, tuple(kept), tuple(few), statistic, freedom, p, effect, points, highest, lowest)
