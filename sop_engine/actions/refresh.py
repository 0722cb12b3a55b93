"""Fits population numbers anew (cut points, ranks, clusters, chances) and freezes them until the next refresh."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sop_engine.actions.everybody import place_everybody
from sop_engine.actions.slicing import REFRESH, HandOut, work_off
from sop_engine.actions.telling import tell
from sop_engine.app import App, Work
from sop_engine.core.fitting import is_due
from sop_engine.core.forms import Schedule
from sop_engine.core.metrics import Fit, Metric
from sop_engine.core.recurrence import next_time
from sop_engine.store import fits, frozen, slices
from sop_engine.store.people import lock_fitting

REFRESH_MINUTE = 3 * 60  # refreshes are at 03:00
DAILY = Schedule("day", REFRESH_MINUTE)


def refresh_due(app: App, now: datetime, *, force: bool = False, hand_out: HandOut | None = None) -> list[str]:
    """Fit every metric whose refresh is due (with `force`, all), then place everybody, slice by slice. Returns the names fitted.

    With `hand_out` workers do the slices: `finish_refreshes` tells when they are done.
    """
    if not force and app.no_refresh_before is not None and now < app.no_refresh_before:
        return []
    with app.work(now) as work:
        lock_fitting(work.tx)
        names = fit_due(work, lambda metric, last: force or is_due(metric.refresh, last, now, work.live.zone))
        if names and app.rehearsal is None:
            slices.plan(work.tx, f"{REFRESH}:{now.isoformat()}")
        elif names:
            place_everybody(work, "refresh")
        next_refresh = next_time(DAILY, now, work.live.zone, work.project.calendar, started_on=now.date(), dates={})
    app.no_refresh_before = next_refresh
    if names and app.rehearsal is None:
        finish_refreshes(app, now, hand_out)
    return names


def finish_refreshes(app: App, now: datetime, hand_out: HandOut | None = None) -> bool:
    """Do the slices of refreshes that are not done yet, or hand them out; whether none is left."""
    with app.transaction() as tx:
        tasks = slices.tasks(tx, f"{REFRESH}:")
    for task in tasks:
        if not work_off(app, task, now, hand_out):
            return False
        with app.transaction() as tx:
            slices.forget(tx, task)
    return True


def fit_due(work: Work, due: Callable[[Metric, datetime | None], bool]) -> list[str]:
    """Fit the metrics for which `due(metric, last fit)` says so, those read by others first.

    A chance that is no better than the best number alone is kept with its verdict, and not used: the good fit before it is.
    """
    latest = frozen.latest_fits(work.tx)
    fitted: list[str] = []
    for metric in _in_order(work):
        stored = latest.get(metric.name)
        current = stored is not None and stored.definition == frozen.definition_of(metric)
        if due(metric, stored.fitted_at if stored is not None and current else None):
            fit = fit_of(work, metric, stored.fit if stored is not None else None)
            fits.save_fit(work.tx, metric, fit, work.now)
            if fit.verdict not in ("", "better"):
                tell("chance_refused" if fit.refused else "chance_not_tested", level="warning", metric=metric.name, reason=fit.verdict)
            fitted.append(metric.name)
    return fitted


def _in_order(work: Work) -> list[Metric]:
    """Fitted metrics, those that read no other fitted metric first."""
    metrics = [m for m in work.project.metrics.values() if m.fitted]
    names = {m.name for m in metrics}
    return sorted(metrics, key=lambda m: any(name in names for name in m.of))


def fit_of(work: Work, metric: Metric, previous: Fit | None) -> Fit:
    """The numbers of one metric over the present population."""
    import numpy as np

    from sop_engine.core import clustering, fitting

    if metric.verb == "score":
        return _tested_score(work, metric)
    rows = fits.values_for(work.tx, work.project, metric, work.now)
    if metric.verb == "cluster":
        return clustering.fit_cluster(metric, rows, previous=previous)
    values: Any = np.asarray(rows)[:, 0]
    return fitting.fit_rank(metric, values) if metric.verb == "rank" else fitting.fit_cuts(metric, values)


def _tested_score(work: Work, metric: Metric) -> Fit:
    """A chance learnt from the last period, with the verdict of the same learning a period earlier, tested on the last one."""
    from sop_engine.core.fitting import fit_score
    from sop_engine.core.judging import judge_score, with_verdict

    days = metric.within.days if metric.within and metric.within.days else 30
    before = fits.examples_for(work.tx, work.project, metric, work.now - timedelta(days=days))
    latest = fits.examples_for(work.tx, work.project, metric, work.now)
    return with_verdict(fit_score(metric, *latest), judge_score(fit_score(metric, *before), metric.of, before, latest))
