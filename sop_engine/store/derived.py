"""Decides how a metric is derived from stored columns and other facts when it is read, so that nothing goes stale with time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sop_engine.core.conditions import Condition, Constant, Ref, rounded
from sop_engine.core.metrics import Fit, Metric
from sop_engine.core.models import ref_to
from sop_engine.core.project import Project
from sop_engine.store.aggregates import ZERO_OF_NOTHING, Aggregate, Parts, parts_of
from sop_engine.store.dialect import Dialect
from sop_engine.store.expressions import Read, constant_sql, flag_sql, is_whole, term_sql

WHOLE = frozenset({"count", "distinct", "streak", "days_since", "days_until", "years_since", "grade", "cluster"})


@dataclass(frozen=True)
class Deriving:
    """What a metric is derived from: the day, what else can be read, the stored columns, and the frozen numbers."""

    to: Dialect
    project: Project
    read: Read
    stored: Callable[[Aggregate], str]
    fits: dict[str, Fit]

    @property
    def now(self) -> str:
        """The local day as a parameter."""
        return self.to.param("today")

    def name(self, name: str) -> str:
        """The SQL of a metric, attribute, tag or tier by its plain name."""
        return self.read.sql(ref_to(self.project, name))


def is_always_whole(project: Project, ref: Ref) -> bool:
    """Whether a name never has decimals."""
    if ref.space == "tier_days":
        return True
    metric = project.metrics.get(ref.name)
    if metric is None or ref.space != "metric":
        return False
    if metric.verb == "value" and metric.formula is not None:
        return is_whole(metric.formula, lambda inner: is_always_whole(project, inner))
    return metric.verb in WHOLE and metric.per is None and not metric.ratio_to_previous


def derived(metric: Metric, d: Deriving) -> str:
    """The value of a metric as SQL; NULL where it is unknown."""
    parts = parts_of(metric, d.project)
    if metric.verb == "days_since":
        return _days_since(metric, parts, d)
    if parts is not None:
        return _of_events(metric, parts, d)
    value = _WRITERS[metric.verb](metric, d)
    return value if metric.only is None else _only(metric.only, value, d)


def _only(condition: Condition, value: str, d: Deriving) -> str:
    return f"CASE WHEN {flag_sql(d.to, condition, d.read)} THEN {value} END"


def _of_events(metric: Metric, parts: Parts, d: Deriving) -> str:
    main = d.stored(parts.main)
    if parts.number is not None:
        return d.to.quotient(main, d.stored(parts.number))
    if parts.end is not None:
        return f"CASE WHEN {d.stored(parts.end)} >= {d.now} - 1 THEN {main} ELSE 0 END"
    value = f"COALESCE({main}, 0)" if metric.verb in ZERO_OF_NOTHING else main
    if parts.previous is not None:
        return d.to.quotient(value, d.stored(parts.previous))
    return _per(metric, metric.per, parts, value, d) if metric.per else value


def _per(metric: Metric, per: int, parts: Parts, value: str, d: Deriving) -> str:
    """Divided by max(per, T) / per; T is the window, or the days since joining if fewer, or else the days since the first event."""
    if parts.first_day is not None:
        length = f"COALESCE({d.now} - {d.stored(parts.first_day)}, 0)"
    else:
        window = metric.within.days if metric.within and metric.within.days else per
        length = f"{d.to.least}({window}, {d.now} - {d.name('joined')})"
    return d.to.quotient(f"{value} * {per}.0", d.to.as_number(f"{d.to.greatest}({per}, {length})"))


def _days_since(metric: Metric, parts: Parts | None, d: Deriving) -> str:
    days = [d.stored(parts.main)] if parts else []
    return d.to.as_number(f"{d.now} - {d.to.latest([*days, *(d.name(n) for n in metric.of)])}")


def _days_until(metric: Metric, d: Deriving) -> str:
    return d.to.as_number(f"{d.name(metric.of[0])} - {d.now}")


def _years_since(metric: Metric, d: Deriving) -> str:
    year, day = d.to.year_and_day(d.name(metric.of[0]))
    return d.to.as_number(f"{d.to.param('year')} - {year} - CASE WHEN {day} > {d.to.param('month_day')} THEN 1 ELSE 0 END")


def day_params(today: date) -> dict[str, int]:
    """The parameters that say which local day it is: the ordinal, the year, and month and day as one number (102 is 2 January)."""
    month_day = today.month * 100 + today.day
    # Whoever was born on 29 February has the birthday on the 28th in other years.
    if month_day == 228 and date.fromordinal(today.toordinal() + 1).month == 3:
        month_day = 229
    return {"today": today.toordinal(), "year": today.year, "month_day": month_day}


def _value(metric: Metric, d: Deriving) -> str:
    return term_sql(d.to, metric.formula if metric.formula is not None else Constant(Decimal(0)), d.read)


def _extreme(metric: Metric, d: Deriving) -> str:
    """The first of the metrics that no later one beats; it has already beaten or equalled the earlier ones."""
    values, names = [d.name(n) for n in metric.of], metric.names or metric.of
    beats = ">=" if metric.verb == "highest" else "<="
    branches = []
    for i, (value, name) in enumerate(zip(values, names, strict=True)):
        rest = "".join(f" AND {value} {beats} COALESCE({other}, {value})" for other in values[i + 1 :])
        branches.append(f"WHEN {value} IS NOT NULL{rest} THEN {d.to.quoted(name)}")
    return f"CASE {' '.join(branches)} END"


def _grade(metric: Metric, d: Deriving) -> str:
    fit = d.fits.get(metric.name)
    cuts: Sequence[Decimal | float] = metric.cuts if isinstance(metric.cuts, tuple) else fit.cuts if fit else ()
    if not cuts:
        return _unknown(d.to, metric.kind)
    value = d.name(metric.of[0])
    high = metric.best == "high"
    # From the hardest cut on: whoever reaches it has reached the others.
    hardest_first = reversed(cuts) if high else cuts
    grades = [constant_sql(d.to, w) for w in metric.names] or [d.to.number(Decimal(i + 1)) for i in range(len(cuts) + 1)]
    reached = [f"WHEN {value} {'>=' if high else '<='} {d.to.number(c)} THEN {grades[len(cuts) - i]}" for i, c in enumerate(hardest_first)]
    return f"CASE WHEN {value} IS NULL THEN NULL {' '.join(reached)} ELSE {grades[0]} END"


def _rank(metric: Metric, d: Deriving) -> str:
    fit = d.fits.get(metric.name)
    if fit is None or not fit.people:
        return _unknown(d.to, metric.kind)
    value = d.name(metric.of[0])
    high = metric.best == "high"
    places = [d.to.number(rounded((Decimal(size) + Decimal("0.5")) / fit.people)) for size in (*fit.sizes[:-1], fit.people)]
    # Between two points a value is as good as the worse of them; beyond the worst point it has everybody above.
    ordered = [places[-1], *places[:-1]] if high else places
    tree = _search(value, [d.to.number(c) for c in fit.cuts], ordered, ">=" if high else ">")
    return f"CASE WHEN {value} IS NOT NULL THEN {tree} END"


def _search(value: str, cuts: Sequence[str], found: Sequence[str], beyond: str) -> str:
    """Binary search written out: found[number of cuts the value is beyond]."""
    if not cuts:
        return found[0]
    middle = len(cuts) // 2
    above = _search(value, cuts[middle + 1 :], found[middle + 1 :], beyond)
    below = _search(value, cuts[:middle], found[: middle + 1], beyond)
    return f"CASE WHEN {value} {beyond} {cuts[middle]} THEN {above} ELSE {below} END"


def _cluster(metric: Metric, d: Deriving) -> str:
    fit = d.fits.get(metric.name)
    if fit is None or not fit.centres:
        return _unknown(d.to, metric.kind)
    distances = sorted(zip(fit.numbers, (_distance(metric, fit, c, d) for c in fit.centres), strict=True))
    known = " AND ".join(f"{d.name(n)} IS NOT NULL" for n in metric.of)
    branches = []
    for i, (number, distance) in enumerate(distances):
        nearest = "".join(f" AND {distance} <= {other}" for _, other in distances[i + 1 :])
        branches.append(f"WHEN {known}{nearest} THEN {d.to.number(Decimal(number))}")
    return f"CASE {' '.join(branches)} END"


def _distance(metric: Metric, fit: Fit, centre: Sequence[float], d: Deriving) -> str:
    axes = []
    for name, mean, scale, place in zip(metric.of, fit.means, fit.scales, centre, strict=True):
        away = f"(({d.name(name)} - {d.to.number(mean)}) / {d.to.number(scale)} - {d.to.number(place)})"
        axes.append(f"{away} * {away}")
    return f"({' + '.join(axes)})"


def _score(metric: Metric, d: Deriving) -> str:
    fit = d.fits.get(metric.name)
    if fit is None or not fit.coefficients:
        return _unknown(d.to, metric.kind)
    terms = [d.to.number(fit.intercept)]
    for name, mean, scale, weight in zip(metric.of, fit.means, fit.scales, fit.coefficients, strict=True):
        terms.append(f"({d.name(name)} - {d.to.number(mean)}) / {d.to.number(scale)} * {d.to.number(weight)}")
    known = " AND ".join(f"{d.name(n)} IS NOT NULL" for n in metric.of)
    return f"CASE WHEN {known} THEN {d.to.chance(' + '.join(terms))} END"


def _unknown(to: Dialect, kind: str) -> str:
    return f"CAST(NULL AS {to.types[kind]})"


_WRITERS: dict[str, Callable[[Metric, Deriving], str]] = {
    "days_until": _days_until,
    "years_since": _years_since,
    "value": _value,
    "highest": _extreme,
    "lowest": _extreme,
    "grade": _grade,
    "rank": _rank,
    "cluster": _cluster,
    "score": _score,
}
