"""Decides how a comparison read on each day: the difference with its band, and when the declared end came."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.sample import Sample
from sop_engine.core.stats.bounds import RUNNING, UNPLANNED, Bound, running_bound
from sop_engine.core.stats.intervals import newcombe

FEWEST = 30


def end_of(sample: Sample, design: Design) -> date | None:
    """The first local date on which as many users were mature as were planned; None before, or without dates or plan."""
    import numpy as np

    if not design.dated or design.planned is None or design.mode == "open_ended" or design.data_through is None:
        return None
    days = np.sort(sample.mature_day[sample.started])
    if len(days) < design.planned or design.planned < 1:
        return None
    reached = int(days[design.planned - 1])
    return date.fromordinal(reached) if reached <= design.data_through.toordinal() else None


@dataclass(frozen=True, eq=False, slots=True)
class Daily:
    """By day, as arrays: the day's ordinal, users and users back of the variant (1) and the control (0)."""

    days: Any
    x1: Any
    n1: Any
    x0: Any
    n0: Any


def daily(sample: Sample, pair: tuple[str, str], through: date) -> Daily | None:
    """Mature users so far on each day from the first on which both arms have one; None before that day."""
    import numpy as np

    started = sample.where(sample.started & (sample.mature_day <= through.toordinal()))
    if not started.size():
        return None
    first = int(started.mature_day.min())
    days = np.arange(first, through.toordinal() + 1)
    found = []
    for name in pair:
        mine = started.of_arm(name)
        for mask in (mine & started.back, mine):
            found.append(np.cumsum(np.bincount(started.mature_day[mask] - first, minlength=len(days)))[: len(days)])
    x1, n1, x0, n0 = found
    both = (n1 > 0) & (n0 > 0)
    return Daily(days[both], x1[both], n1[both], x0[both], n0[both]) if both.any() else None


def multipliers(found: Daily, bound: Bound, ended_on: date | None) -> Any:
    """The multiplier of each day: the running bound, from the declared end on that of the end.

    A `fixed` test is judged once; until then its picture has the band that may be looked at every day.
    """
    import numpy as np

    family, planned = bound.family, bound.planned if bound.planned is not None else UNPLANNED
    running = running_bound(found.n1 + found.n0, planned, RUNNING[bound.mode] / family)
    if ended_on is None:
        return running
    end = Bound(bound.mode, True, 1, bound.planned, family).multiplier
    return np.where(found.days >= ended_on.toordinal(), end, running)


Path = tuple[tuple[str, int, float, float, float, float], ...]


def path_of(found: Daily, bound: Bound, ended_on: date | None) -> tuple[Path, str | None]:
    """[date, n, difference, low, high, multiplier] of each day as it read then; and the first day that would have been judged."""
    m = multipliers(found, bound, ended_on)
    low, high = newcombe(found.x1 / found.n1, found.n1, found.x0 / found.n0, found.n0, m)
    d = found.x1 / found.n1 - found.x0 / found.n0
    path = tuple(
        (date.fromordinal(int(day)).isoformat(), int(a + b), float(e), float(lo), float(hi), float(k))
        for day, a, b, e, lo, hi, k in zip(found.days, found.n1, found.n0, d, low, high, m, strict=True)
    )
    return path, _first_excluded(found, low, high, bound, ended_on)


def _first_excluded(found: Daily, low: Any, high: Any, bound: Bound, ended_on: date | None) -> str | None:
    judged = (found.n1 >= FEWEST) & (found.n0 >= FEWEST) & ((low > 0) | (high < 0))
    if ended_on is not None:
        judged &= found.days <= ended_on.toordinal()
    if bound.mode == "fixed":
        judged &= found.days == (ended_on.toordinal() if ended_on else 0)
    return date.fromordinal(int(found.days[judged][0])).isoformat() if judged.any() else None
