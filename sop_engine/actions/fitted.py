"""Tells what was learnt from everybody: cut points, clusters and how far they moved, and how good a chance is on a later period."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sop_engine.actions.fresh import FitTrouble, troubles
from sop_engine.app import Work
from sop_engine.core.calendar import midnight
from sop_engine.core.errors import BadInput
from sop_engine.core.judging import ScoreTest, judge_score
from sop_engine.core.metrics import Fit, Metric
from sop_engine.store import fits, frozen
from sop_engine.store.facts import ref_of

TELLING = 0.5  # a centre this many standard deviations from the mean of a number is told by it
MOST_TOLD = 3


@dataclass(frozen=True, slots=True)
class Centre:
    """A cluster: its number, what tells it apart (in standard deviations from everybody's mean), how far it moved since the fit before."""

    number: int
    told_by: tuple[tuple[str, float], ...]
    moved: float | None  # in standard deviations; None: it is new, or there was no fit before


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted metric: how, when, over how many, and what came of it."""

    metric: str
    verb: str
    fitted_at: datetime | None
    in_use: bool
    people: int
    degenerate: bool
    cuts: tuple[float, ...]
    centres: tuple[Centre, ...]
    verdict: str = ""  # of a score: better, not_better (it is refused) or too_few (it could not be tested)
    trouble: str = ""  # why the latest fit is not used


def fitted(work: Work, names: Sequence[str] = ()) -> list[Fitted]:
    """The fits of these metrics, or of all. Raises NotFound and BadInput."""
    metrics = [_metric(work, name) for name in names] if names else [m for m in work.project.metrics.values() if m.fitted]
    wrong = {one.metric: one for one in troubles(work)}
    return [_told(work, metric, wrong.get(metric.name)) for metric in metrics]


def chance_tested(work: Work, name: str, on: date | None = None) -> ScoreTest:
    """Learn a `score` anew from the period before the last one up to a day (today), and test it on that. Raises NotFound and BadInput."""
    from sop_engine.core.fitting import fit_score

    metric = _metric(work, name)
    if metric.verb != "score":
        raise BadInput(f"'{name}' is a {metric.verb}: only the chance of a 'score' can be tested.")
    days = metric.within.days if metric.within and metric.within.days else 30
    until = midnight(on, work.live.zone) if on is not None else work.now
    before = fits.examples_for(work.tx, work.project, metric, until - timedelta(days=days))
    after = fits.examples_for(work.tx, work.project, metric, until)
    return judge_score(fit_score(metric, *before), metric.of, before, after)


def _metric(work: Work, name: str) -> Metric:
    ref = ref_of(work.project, name)
    metric = work.project.metrics.get(ref.name)
    if metric is None or not metric.fitted:
        raise BadInput(f"'{name}' is not fitted: a grade without fixed cuts, a rank, a cluster or a score is.")
    return metric


def _told(work: Work, metric: Metric, wrong: FitTrouble | None) -> Fitted:
    last, before = frozen.last_two(work.tx, metric)
    trouble = wrong.says if wrong else ""
    if last is None:
        return Fitted(metric.name, metric.verb, None, False, 0, False, (), (), trouble=trouble)
    fit = last.fit
    cuts = fit.cuts if metric.verb == "grade" else ()
    centres = centres_of(metric, fit, before.fit if before is not None else None)
    return Fitted(
        metric.name, metric.verb, last.fitted_at, wrong is None, fit.people, fit.degenerate, cuts, centres, fit.verdict, trouble
    )  # fmt: skip


def centres_of(metric: Metric, fit: Fit, before: Fit | None) -> tuple[Centre, ...]:
    """The clusters of a fit, by number; those of the fit before say how far each has moved."""
    old = {} if before is None else {n: _natural(before, c) for n, c in zip(before.numbers, before.centres, strict=True)}
    found = []
    for number, centre in sorted(zip(fit.numbers, fit.centres, strict=True)):
        far = sorted(zip(metric.of, centre, strict=True), key=lambda one: -abs(one[1]))
        told = tuple((name, z) for name, z in far if abs(z) >= TELLING)[:MOST_TOLD]
        moved = None
        if number in old:
            now = _natural(fit, centre)
            moved = sum(((a - b) / s) ** 2 for a, b, s in zip(now, old[number], fit.scales, strict=True)) ** 0.5
        found.append(Centre(number, told, moved))
    return tuple(found)


def _natural(fit: Fit, centre: Sequence[float]) -> list[float]:
    return [m + s * z for m, s, z in zip(fit.means, fit.scales, centre, strict=True)]
