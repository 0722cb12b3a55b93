"""Reads one person's grade, rank, cluster or score off a frozen fit, as the store does in SQL: for explanations and tests."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sop_engine.core.conditions import rounded
from sop_engine.core.metrics import Fit, Metric

if TYPE_CHECKING:
    import numpy as np

    Table = np.ndarray[Any, np.dtype[np.float64]]

Number = Decimal | float | int


def grade_of(metric: Metric, value: Number | None, fit: Fit | None) -> int | str | None:
    """1 + the number of cuts reached, or the name of that grade (worst first); None when the value or the cuts are unknown."""
    cuts: Sequence[Number] = metric.cuts if isinstance(metric.cuts, tuple) else fit.cuts if fit else ()
    if value is None or not cuts:
        return None
    number = grade_number(value, cuts, metric.best)
    return metric.names[number - 1] if metric.names else number


def grade_number(value: Number, cuts: Sequence[Number], best: str) -> int:
    """1 + the number of cuts reached: with `>=` where high is best, with `<=` where low is."""
    exact = _decimal(value)
    return 1 + sum(exact >= _decimal(cut) if best == "high" else exact <= _decimal(cut) for cut in cuts)


def rank_of(metric: Metric, value: Number | None, fit: Fit | None) -> Decimal | None:
    """(People with a better value + 1/2) ÷ people, by the fit, to 6 decimals: 0 is the top. None when the value or the fit is unknown."""
    if value is None or fit is None or not fit.people:
        return None
    exact, points = _decimal(value), list(zip(fit.cuts, fit.sizes[:-1], strict=True))
    # Nobody of the fit lies between two points, so a value between them has as many people above it as the worse one.
    if metric.best == "high":
        better = next((size for cut, size in reversed(points) if _decimal(cut) <= exact), fit.people)
    else:
        better = next((size for cut, size in points if _decimal(cut) >= exact), fit.people)
    return rounded((better + Decimal("0.5")) / fit.people)


def cluster_of(values: Sequence[Number | None], fit: Fit | None) -> int | None:
    """The number of the nearest centre in standardised distance, of equals the lower; None when a value or the fit is unknown."""
    row = _standardised(values, fit)
    if fit is None or row is None or not fit.centres:
        return None
    distances = [sum((x - c) ** 2 for x, c in zip(row, centre, strict=True)) for centre in fit.centres]
    return min(zip(distances, fit.numbers, strict=True))[1]


def score_of(values: Sequence[Number | None], fit: Fit | None) -> Decimal | None:
    """The chance by the logistic formula, 0 to 1, to 6 decimals; None when a value or the fit is unknown."""
    row = _standardised(values, fit)
    if fit is None or row is None or not fit.coefficients:
        return None
    log_odds = fit.intercept + sum(x * c for x, c in zip(row, fit.coefficients, strict=True))
    # Beyond 40 the chance is 0 or 1 in every decimal, and the exponential would run over.
    return rounded(Decimal(1 / (1 + math.exp(-max(-40.0, min(40.0, log_odds))))))


def chances_of(rows: "Table", fit: Fit) -> "Table":
    """The chances of many people at once, as `score_of` says them; 0 for everybody where the fit has no coefficients."""
    import numpy as np

    if not fit.coefficients:
        return np.zeros(len(rows))
    log_odds = fit.intercept + ((rows - np.asarray(fit.means)) / np.asarray(fit.scales)) @ np.asarray(fit.coefficients)
    chances: Table = np.round(1 / (1 + np.exp(-np.clip(log_odds, -40.0, 40.0))), 6)
    return chances


def _standardised(values: Sequence[Number | None], fit: Fit | None) -> list[float] | None:
    known = [float(v) for v in values if v is not None]
    if fit is None or len(known) < len(values):
        return None
    return [(x - m) / s for x, m, s in zip(known, fit.means, fit.scales, strict=False)]


def _decimal(number: Number) -> Decimal:
    """The number as it is written: the float 0.1 is one tenth, as the value it is compared with."""
    return number if isinstance(number, Decimal) else Decimal(str(number))
