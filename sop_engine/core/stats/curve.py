"""Decides the curve of returns: which share of users is back so many days after the clock started, open windows included."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """On this day after the start: the share that is back, its limits, and users still watched."""

    day: int
    returned: float
    low: float
    high: float
    at_risk: int


def return_curve(days: Sequence[float], back: Sequence[bool], until: int) -> list[CurvePoint]:
    """1 - Kaplan-Meier for days 0 to `until`. `days`: days to the return, or days watched without one (`back` false)."""
    if not days:
        return []
    import numpy as np
    from scipy.stats import CensoredData, ecdf

    came = np.asarray(back, dtype=bool)
    values = np.asarray(days, dtype=float)
    found = ecdf(CensoredData(uncensored=values[came], right=values[~came]))
    low, high = _band(found, bool(came.any()))
    points = []
    for day in range(until + 1):
        share = float(found.cdf.evaluate(day))
        at_risk = int((values >= day).sum())
        if at_risk:
            points.append(CurvePoint(day, share, _inside(low, day, share), _inside(high, day, share), at_risk))
    return points


def _band(found: "object", any_back: bool) -> tuple["object | None", "object | None"]:
    import warnings

    if not any_back:
        return None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # before the first return the band has no width
        interval = found.cdf.confidence_interval(0.95, method="log-log")  # type: ignore[attr-defined]  # scipy has no types
    return interval.low, interval.high


def _inside(limit: "object | None", day: int, share: float) -> float:
    if limit is None:
        return share
    value = float(limit.evaluate(day))  # type: ignore[attr-defined]  # scipy has no types
    return share if value != value else value


def logrank_p(one: tuple[Sequence[float], Sequence[bool]], two: tuple[Sequence[float], Sequence[bool]]) -> tuple[float, float] | None:
    """(chi-square, p) that two curves are one, of (days, back) each; None where nobody came back."""
    if not any(one[1]) or not any(two[1]):
        return None
    from scipy.stats import CensoredData, logrank

    first, second = (
        CensoredData(uncensored=[d for d, b in zip(*group, strict=True) if b], right=[d for d, b in zip(*group, strict=True) if not b])
        for group in (one, two)
    )
    found = logrank(first, second)
    return float(found.statistic) ** 2, float(found.pvalue)
