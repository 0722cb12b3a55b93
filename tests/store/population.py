"""Puts records into a database the way an import does: users, events, columns, values, levels."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from sop_engine.core import clustering, fitting
from sop_engine.core.metrics import Fit, Metric
from sop_engine.core.models import models_in_order
from sop_engine.core.project import Project
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.store import fits, metric_values, tags
from sop_engine.store.events import add_events
from sop_engine.store.layers import known
from sop_engine.store.people import filled
from sop_engine.store.placements import place
from sop_engine.store.scope import Scope
from sop_engine.store.users import add_users, ensure_users


def fill(tx: Connection, project: Project, users: Sequence[UserRecord], events: Iterable[EventRecord], now: datetime) -> dict[str, int]:
    """Users and events, then their stored values as of `now`. Ids by key."""
    listed = list(events)
    metric_values.prepare(tx, project)
    add_users(tx, project, users, now)
    ids, _ = ensure_users(tx, project, [(e.user_key, e.at) for e in listed] + [(u.key, u.joined_at or now) for u in users])
    add_events(tx, project, listed, ids, now)
    metric_values.recompute(tx, project, Scope.everybody(), now)
    return ids


def fit_everything(tx: Connection, project: Project, now: datetime) -> None:
    """Fit every metric that is fitted, as a refresh does."""
    for metric in project.metrics.values():
        if metric.fitted:
            fits.save_fit(tx, metric, fit_of(tx, project, metric, now), now)


def fit_of(tx: Connection, project: Project, metric: Metric, now: datetime) -> Fit:
    """The numbers of one metric over everybody there is."""
    if metric.verb == "score":
        return fitting.fit_score(metric, *fits.examples_for(tx, project, metric, now))
    rows = fits.values_for(tx, project, metric, now)
    if metric.verb == "cluster":
        return clustering.fit_cluster(metric, rows)
    values = [row[0] for row in rows]
    return fitting.fit_rank(metric, values) if metric.verb == "rank" else fitting.fit_cuts(metric, values)


def place_everybody(tx: Connection, project: Project, now: datetime, *, cause: str = "import", size: int = 0) -> None:
    """Tags by rule, then every model in order; all users at once, or slice by slice of so many ids."""
    for scope in [Scope.between(first, size) for first in filled(tx, size)] if size else [Scope.everybody()]:
        tags.refresh_rule_tags(tx, project, scope, now)
        for model in models_in_order(project):
            place(tx, known(tx, project, now), model, scope, now, cause=cause, release="test")
