"""Tells which population numbers cannot be used, and which models rest on them: their levels stay as they are, and their sends wait."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from sop_engine.app import Work
from sop_engine.core.calendar import local_day
from sop_engine.core.fitting import GRACE_DAYS, PERIODS
from sop_engine.core.metrics import Fit, Metric
from sop_engine.store import frozen


@dataclass(frozen=True, slots=True)
class FitTrouble:
    """Why the latest fit of a metric is not used. `why`: never, expired, refused, or kept (refused, and the good one before it is used)."""

    metric: str
    why: str
    says: str


def expired_models(work: Work) -> frozenset[str]:
    """Models that read a number without a valid fit: too old, or refused. In a story they are unknown unless given."""
    rehearsal, fitted = work.app.rehearsal, work.live.interest.fitted_read
    if not any(fitted.values()) or (rehearsal is not None and not rehearsal.draws):
        return frozenset()
    valid = frozen.valid_fits(work.tx, work.project, work.now)
    return frozenset(model for model, names in fitted.items() if not names <= valid.keys())


def troubles(work: Work, names: Iterable[str] | None = None) -> list[FitTrouble]:
    """What is wrong with the fits of these metrics (None: of all), in the order of the project."""
    used = frozen.valid_fits(work.tx, work.project, work.now)
    asked = set(names) if names is not None else work.project.metrics.keys()
    metrics = [m for m in work.project.metrics.values() if m.fitted and m.name in asked]
    found = (_trouble(work, metric, used.get(metric.name)) for metric in metrics)
    return [one for one in found if one is not None]


def _trouble(work: Work, metric: Metric, used: frozen.Stored | None) -> FitTrouble | None:
    last, _ = frozen.last_two(work.tx, metric)
    if last is None:
        return FitTrouble(metric.name, "never", "it was never fitted: it is unknown until 'sop tick' or the next refresh fits it")
    day = local_day(last.fitted_at, work.live.zone)
    if last.fit.refused and used is not None:
        kept = local_day(used.fitted_at, work.live.zone)
        until = _last_day(metric, kept)
        return FitTrouble(metric.name, "kept", f"{_refused(last.fit, day)}: the fit of {kept} is used instead, until {until} at the latest")
    if last.fit.refused:
        return FitTrouble(
            metric.name, "refused", f"{_refused(last.fit, day)}: it is unknown, and nothing that rests on it moves or is sent"
        )
    if used is None:
        says = f"the fit of {day} was valid until {_last_day(metric, day)}: levels stay as they are, and their sends wait"
        return FitTrouble(metric.name, "expired", says)
    return None


def _refused(fit: Fit, day: date) -> str:
    if fit.degenerate:
        return f"the fit of {day} gives everybody the same chance"
    beside = "" if fit.auc is None or fit.rule_auc is None else f" (AUC {fit.auc:.3f}; by '{fit.rule}' alone {fit.rule_auc:.3f})"
    return f"the fit of {day} is no better than the plain rule on days it had not seen{beside}"


def _last_day(metric: Metric, fitted: date) -> date:
    return fitted + timedelta(days=PERIODS[metric.refresh] + GRACE_DAYS)
