"""Decides the frozen numbers of a population: cut points, places, coefficients; and when they are fitted again or too old."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sop_engine.core.calendar import local_day, resolve
from sop_engine.core.metrics import Fit, Metric
from sop_engine.core.scoring import grade_number

if TYPE_CHECKING:
    import numpy as np

    Table = np.ndarray[Any, np.dtype[np.float64]]

QUANTILES = {"median": (0.5,), "quartiles": (0.25, 0.5, 0.75), "quintiles": (0.2, 0.4, 0.6, 0.8)}
PLACES = 8
"""Decimals of a cut point. Values have 6, so quantiles between two of them are exact in 8, and the noise of floats is gone."""

RANK_POINTS = 10_000
REFRESH_MINUTE = 3 * 60  # 03:00
PERIODS = {"daily": 1, "weekly": 7, "monthly": 30}
GRACE_DAYS = 5


def fit_cuts(metric: Metric, values: Sequence[float]) -> Fit:
    """Cut points of a `grade` by median, quartiles or quintiles of the known values, in any order.

    Between two values a quantile is interpolated. `degenerate` when the best and the worst value get the same grade.
    """
    import numpy as np

    if not len(values):
        return Fit(metric.name, degenerate=True)
    cuts = tuple(round(float(c), PLACES) for c in np.quantile(np.asarray(values, dtype=float), QUANTILES[str(metric.cuts)]))
    same = grade_number(min(values), cuts, metric.best) == grade_number(max(values), cuts, metric.best)
    return Fit(metric.name, cuts=cuts, people=len(values), degenerate=same)


def fit_rank(metric: Metric, values: Sequence[float]) -> Fit:
    """Places of a `rank`: values in rising order (`cuts`), how many people are strictly better than each (`sizes`), then people in all.

    Up to 10,001 different values are all kept. Of more, those at the places floor(i/10,000 * n + 1/2) and the best one are kept:
    comparisons with every whole hundredth of a percent stay exact, and a value between two points counts as the worse of them.
    """
    import numpy as np

    if not len(values):
        return Fit(metric.name, degenerate=True)
    # From the best to the worst, whichever way is better.
    sign = -1.0 if metric.best == "high" else 1.0
    keys, counts = np.unique(sign * np.asarray(values, dtype=float), return_counts=True)
    better = np.concatenate(([0], np.cumsum(counts)[:-1]))
    if len(keys) > RANK_POINTS + 1:
        people = len(values)
        places = [(2 * i * people + RANK_POINTS) // (2 * RANK_POINTS) for i in range(1, RANK_POINTS + 1)]
        chosen = np.unique(np.concatenate(([0], np.searchsorted(better, places, side="left") - 1)))
        keys, better = keys[chosen], better[chosen]
    points = sorted(zip((sign * keys).tolist(), better.tolist(), strict=True))
    return Fit(
        metric.name,
        cuts=tuple(float(value) for value, _ in points),
        sizes=(*(int(size) for _, size in points), len(values)),
        people=len(values),
        degenerate=len(points) == 1,
    )


def fit_score(metric: Metric, rows: Sequence[Sequence[float]], labels: Sequence[bool]) -> Fit:
    """Logistic regression on standardised features: one row a person and day, in the order of `metric.of`; the label is what came true.

    `degenerate` when only one outcome or no differing feature was seen: the chance is then the same for everybody.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    if not len(rows):
        return Fit(metric.name, degenerate=True)
    table, outcome = np.asarray(rows, dtype=float), np.asarray(labels, dtype=bool)
    means, scales = means_and_scales(table)
    happened, people = int(outcome.sum()), len(rows)
    degenerate = bool((table.max(axis=0) == table.min(axis=0)).all()) or happened in (0, people)
    if degenerate:
        # Half a case on either side, so that "never seen" is not "impossible".
        coefficients, intercept = np.zeros(table.shape[1]), float(np.log((happened + 0.5) / (people - happened + 0.5)))
    else:
        model = LogisticRegression(max_iter=1000).fit((table - means) / scales, outcome)
        coefficients, intercept = model.coef_[0], float(model.intercept_[0])
    return Fit(
        metric.name,
        means=kept(means),
        scales=kept(scales),
        coefficients=kept(coefficients),
        intercept=kept([intercept])[0],
        people=people,
        degenerate=degenerate,
    )


def means_and_scales(table: "Table") -> tuple["Table", "Table"]:
    """Mean and standard deviation of each column; the scale of a column without differences is 1."""
    means, scales = table.mean(axis=0), table.std(axis=0)
    scales[table.max(axis=0) == table.min(axis=0)] = 1.0  # not `scales == 0`: equal floats may have a deviation of 1e-17
    return means, scales


def kept(numbers: Iterable[float]) -> tuple[float, ...]:
    """The numbers as a fit keeps them: 12 digits, so that the order in which threads add up does not show."""
    return tuple(float(f"{n:.12g}") for n in numbers)


def is_due(refresh: str, last_fit_at: datetime | None, now: datetime, zone: ZoneInfo) -> bool:
    """Whether a refresh is due: never fitted, or not since the last 03:00 of the day, of Monday or of the 1st of the month."""
    return last_fit_at is None or last_fit_at < _last_refresh(refresh, now, zone)


def _last_refresh(refresh: str, now: datetime, zone: ZoneInfo) -> datetime:
    day = local_day(now, zone)
    while not _is_refresh_day(refresh, day.day, day.isoweekday()) or resolve(day, REFRESH_MINUTE, zone) > now:
        day -= timedelta(days=1)
    return resolve(day, REFRESH_MINUTE, zone)


def _is_refresh_day(refresh: str, day_of_month: int, weekday: int) -> bool:
    return {"monthly": day_of_month == 1, "weekly": weekday == 1}.get(refresh, True)


def expired(metric: Metric, fitted_at: datetime, now: datetime, zone: ZoneInfo) -> bool:
    """Whether a fit is more local days old than its period (1, 7 or 30 days) and 5 days."""
    return (local_day(now, zone) - local_day(fitted_at, zone)).days > PERIODS[metric.refresh] + GRACE_DAYS
