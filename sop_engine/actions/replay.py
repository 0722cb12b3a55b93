"""Replays stored events through the real engine with a made-up clock, contacting nobody: what these playbooks would have done."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

from sop_engine.actions.apply import Options, apply
from sop_engine.actions.beat import beat, next_moment
from sop_engine.actions.ingest import record_events, rounds
from sop_engine.actions.place import Cause, place_users
from sop_engine.actions.tally import Tally, tally
from sop_engine.app import App, Rehearsal, adapter_for
from sop_engine.core.calendar import midnight, resolve
from sop_engine.core.interest import interest_of
from sop_engine.core.project import Project
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.settings import Settings
from sop_engine.store import events as store_events
from sop_engine.store import log, metric_values, placements, tags, touches
from sop_engine.store import users as store_users
from sop_engine.store.engine import open_engine
from sop_engine.store.layers import known
from sop_engine.store.migrate import upgrade
from sop_engine.store.people import joined_by
from sop_engine.store.scope import Scope

STEP = timedelta(hours=1)
"""Within a day the clock moves from hour to hour (and stops at midnight): what is due meanwhile is sent on the hour."""

BATCH = 5000
LAST_MINUTE = 24 * 60 - 1
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Period:
    """The local days that are replayed, both included; and earlier days at whose end levels are noted, so that they can be told too."""

    first: date
    last: date
    noted: tuple[date, ...] = ()


def replay(
    source: App,
    project: Project,
    period: Period,
    *,
    files: Mapping[str, str] | None = None,
    into: str = "sqlite://",
    progress: Callable[[date], None] | None = None,
) -> tuple[Tally, App]:
    """Replay the stored events of a period against this project on a database of its own.

    Users and earlier events are history; then each day is lived through: events, midnights, touches. Hold-outs and variants are
    drawn, budgets and stocks count, nobody is contacted. Returns the tally and the app of the replayed database, which the caller
    disposes of; with `files`, the text of the project, it can be opened and asked later. Attributes are those known today.
    """
    app = replay_app(project, into)
    zone = project.zone
    start = midnight(period.first, zone)
    _load_history(source, app, project, start)
    _note_levels(app, project, [day for day in period.noted if day < period.first])
    with app.transaction() as tx:
        metric_values.recompute(tx, project, Scope.everybody(), start)
    apply(app, files or {}, project, start, Options(approved_by="backtest"))
    arrivals = _arrivals(source, project, start)
    now = start
    for ordinal in range(period.first.toordinal(), period.last.toordinal() + 1):
        day = date.fromordinal(ordinal)
        end = midnight(day + timedelta(days=1), zone)
        _appear(app, arrivals.get(ordinal, []))
        now = _live_through(app, _events(source, project, now, end), now, end)
        if progress is not None:
            progress(day)
    return tally(app, period.first, period.last), app


def replay_app(project: Project, into: str) -> App:
    """An engine on a database of its own that draws as live and contacts nobody."""
    engine = open_engine(into, durable=False)
    upgrade(engine)
    return App(engine, Settings.model_construct(), lambda _files: project, adapter_for, Rehearsal(draws=True, spread=True))


def _load_history(source: App, app: App, project: Project, start: datetime) -> None:
    """Everything before the start, as an import would bring it: it fires nothing."""
    with source.transaction() as tx, app.transaction() as mine:
        metric_values.prepare(mine, project)
        for batch in _batches(log.users_joined(tx, project, None, start)):
            store_users.add_users(mine, project, batch, start)
        for events in _batches(log.events_between(tx, project, None, start)):
            ids, _ = store_users.ensure_users(mine, project, [(e.user_key, e.at) for e in events])
            store_events.add_events(mine, project, events, ids, start)


def _note_levels(app: App, project: Project, days: Sequence[date]) -> None:
    """Place those who had joined as of the end of these days; tiers that rest on a fit are left out."""
    interest, zone = interest_of(project), project.zone
    models = [m for m in interest.models if m.name in project.tiers and not interest.fitted_read[m.name]]
    for day in sorted(days):
        with app.transaction() as tx:
            now = resolve(day, LAST_MINUTE, zone)
            scope = Scope.of(joined_by(tx, day.toordinal()))
            metric_values.recompute(tx, project, scope, now)
            given = known(tx, project, now)
            for model in models:
                placements.place(tx, given, model, scope, now, cause="import", release=project.hash, stream=False)


def _batches(rows: Iterator[T]) -> Iterator[list[T]]:
    batch: list[T] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _arrivals(source: App, project: Project, start: datetime) -> Mapping[int, list[UserRecord]]:
    """By local day: users who joined on it, after the start."""
    found: dict[int, list[UserRecord]] = {}
    with source.transaction() as tx:
        for record in log.users_joined(tx, project, start, None):
            at = record.joined_at or start
            found.setdefault(at.astimezone(project.zone).date().toordinal(), []).append(record)
    return found


def _appear(app: App, records: Sequence[UserRecord]) -> None:
    """Users who join on this day appear when they joined, and so enter what holds."""
    if not records:
        return
    now = max(r.joined_at for r in records if r.joined_at is not None)
    with app.work(now) as work:
        ids = store_users.add_users(work.tx, work.project, records, now)
        work.moments = {ids[r.key]: r.joined_at for r in records if r.joined_at is not None}
        metric_values.recompute(work.tx, work.project, Scope.of(ids.values()), now)
        tags.refresh_rule_tags(work.tx, work.project, Scope.of(ids.values()), now)
        place_users(work, sorted(ids.values()), Cause("event"))


def _events(source: App, project: Project, start: datetime, end: datetime) -> list[EventRecord]:
    with source.transaction() as tx:
        return list(log.events_between(tx, project, start, end))


def _live_through(app: App, events: list[EventRecord], now: datetime, end: datetime) -> datetime:
    """One local day. Midnight first; then the events of users for whom nothing is due today, many together, since the order
    of different users does not matter; then hour by hour the events of the others, and what is due.
    """
    beat(app, now)
    others = _take_undisturbed(app, events, end)
    while True:
        moment = min(_on_the_hour(next_moment(app, now)), end)
        block = [e for e in others if e.at <= moment]
        if block:
            others = others[len(block) :]
            record_events(app, block, block[-1].at, at_event_time=True)
            moment = min(_on_the_hour(max(next_moment(app, now), block[-1].at)), moment)
        if moment >= end:
            return end
        beat(app, moment)
        now = moment + timedelta(microseconds=1)


def _take_undisturbed(app: App, events: list[EventRecord], end: datetime) -> list[EventRecord]:
    """Take in, round by round, the events of users for whom nothing is due until the end of the day; the rest, in order of time."""
    left: list[EventRecord] = []
    for batch in rounds(events):
        with app.transaction() as tx:
            busy = touches.users_due(tx, end)
        busy |= {e.user_key for e in left}
        record_events(app, [e for e in batch if e.user_key not in busy], end, at_event_time=True)
        left += [e for e in batch if e.user_key in busy]
    return sorted(left, key=lambda e: e.at)


def _on_the_hour(at: datetime) -> datetime:
    whole = at.replace(minute=0, second=0, microsecond=0)
    return at if whole == at else whole + STEP
