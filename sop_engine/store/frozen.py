"""Reads the frozen population numbers of fitted metrics: those in use now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, func, select

from sop_engine.core.explain import text_of
from sop_engine.core.fitting import expired
from sop_engine.core.metrics import Fit, Metric
from sop_engine.core.project import Project
from sop_engine.store.columns import table_of
from sop_engine.store.tables import FitRow

fits = table_of(FitRow)

_read: WeakKeyDictionary[Engine, dict[tuple[str, datetime], "Stored"]] = WeakKeyDictionary()
"""Fits that were read before: they do not change, and a rank may have 10,000 points."""


def definition_of(metric: Metric) -> str:
    """A hash of what the metric's numbers depend on: another definition needs another fit."""
    only = text_of(metric.only) if metric.only is not None else ""
    said = (metric.verb, metric.of, only, str(metric.cuts), metric.best, metric.into, metric.predicts, str(metric.within))
    return sha256(repr(said).encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)  # compared by identity: a rank may have 10,000 points
class Stored:
    """A fit as it is kept."""

    fit: Fit
    fitted_at: datetime
    definition: str  # hash of the definition it was made for


def latest_fits(tx: Connection) -> dict[str, Stored]:
    """By metric: its latest fit, be it expired or made for another definition."""
    latest = tx.execute(select(fits.c.metric, func.max(fits.c.fitted_at)).group_by(fits.c.metric))
    return {metric: _get(tx, metric, at) for metric, at in latest.all()}


def last_two(tx: Connection, metric: Metric) -> tuple[Stored | None, Stored | None]:
    """The latest fit of this definition, and the one before it."""
    found = [_get(tx, metric.name, at) for at in _times(tx, metric)[:2]]
    return (found[0] if found else None), (found[1] if len(found) > 1 else None)


def valid_fits(tx: Connection, project: Project, now: datetime) -> dict[str, Stored]:
    """By metric: the fit in use; those that are expired, refused or made for another definition are missing.

    Where the latest is refused, the last good one of the same definition is used, as long as it is not expired.
    """
    wanted = _fitted(project)
    latest = latest_fits(tx) if wanted else {}
    found: dict[str, Stored] = {}
    for metric, definition in wanted:
        one = latest.get(metric.name)
        if one is not None and one.definition == definition and one.fit.refused:
            one = last_good(tx, metric)
        if one is not None and one.definition == definition and not expired(metric, one.fitted_at, now, project.zone):
            found[metric.name] = one
    return found


def last_good(tx: Connection, metric: Metric) -> Stored | None:
    """The latest fit of this definition that was not refused, however old; None if there is none."""
    for at in _times(tx, metric):
        one = _get(tx, metric.name, at)
        if not one.fit.refused:
            return one
    return None


def forget(tx: Connection, metric: str, at: datetime) -> None:
    """Read this fit from the database when it is next asked for: it was written anew."""
    _read.setdefault(tx.engine, {}).pop((metric, at), None)


def _times(tx: Connection, metric: Metric) -> Sequence[datetime]:
    """When this definition was fitted, the latest first: a row a period."""
    mine = fits.c.metric == metric.name, fits.c.definition == definition_of(metric)
    return tx.execute(select(fits.c.fitted_at).where(*mine).order_by(fits.c.fitted_at.desc())).scalars().all()


@lru_cache(maxsize=8)
def _fitted(project: Project) -> tuple[tuple[Metric, str], ...]:
    return tuple((m, definition_of(m)) for m in project.metrics.values() if m.fitted)


def _get(tx: Connection, metric: str, at: datetime) -> Stored:
    known = _read.setdefault(tx.engine, {})
    if (metric, at) not in known:
        row = tx.execute(select(fits.c.fit, fits.c.definition).where(fits.c.metric == metric, fits.c.fitted_at == at)).one()
        known[metric, at] = Stored(_from_json(row.fit), at, row.definition)
    return known[metric, at]


def _from_json(stored: dict[str, Any]) -> Fit:
    return Fit(**{key: _tuples(value) for key, value in stored.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
