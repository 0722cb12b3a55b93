"""Imports a file of users, events or codes: in batches, told once however often the file comes, and firing nothing."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from sop_engine.actions.catch_up import catch_up
from sop_engine.actions.end import Endings, Reached, end_runs, flow_of, reach_goal, windows_of
from sop_engine.actions.everybody import ask_open_runs, place_everybody
from sop_engine.actions.existing import start_existing
from sop_engine.actions.goals import event_facts, fits
from sop_engine.actions.receive import receive
from sop_engine.actions.refresh import fit_due
from sop_engine.actions.tagging import tag_by_words
from sop_engine.actions.unite import unite_identified
from sop_engine.app import App, Work
from sop_engine.core.catalog import Goal
from sop_engine.core.models import WATCH
from sop_engine.core.playbook import Flow
from sop_engine.core.project import BUILT_IN_EVENTS
from sop_engine.core.records import EventRecord, Rejected, UserRecord
from sop_engine.core.replies import understood
from sop_engine.store import events as store_events
from sop_engine.store import grants, metric_values, runs, tallies, versions
from sop_engine.store import users as store_users
from sop_engine.store.fits import latest_fits
from sop_engine.store.scope import Scope
from sop_engine.store.suppressions import Entry

BATCH = 5_000
MOST_REASONS = 40  # kinds of mistakes told apart
MOST_TOUCHED = 100_000  # beyond so many users everybody is computed anew, so that memory stays flat
UNFINISHED = "import unfinished"  # the mark that levels do not follow from the log yet

Record = UserRecord | EventRecord | str | Entry
Progress = Callable[[int], None]


@dataclass
class Imported:
    """What became of a file. `moves` counts new levels by (tier, level); `started` are runs of flows with `existing: enter`."""

    read: int = 0
    stored: int = 0
    repeated: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    moves: Mapping[tuple[str, str | None], int] = field(default_factory=dict)
    started: int = 0
    stopped: bool = False  # there were more bad rows than allowed
    resumed: bool = False  # an import before had been interrupted; it is finished now


@dataclass(frozen=True, slots=True)
class Source:
    """The rows of a file. `pool` is where codes go; `reject` is told of every bad row; after `max_errors` of them reading stops."""

    rows: Iterable[Record | Rejected]
    pool: str = ""
    reject: Callable[[Rejected], None] = lambda _bad: None
    max_errors: int | None = None


def import_rows(app: App, source: Source, now: datetime, *, dry_run: bool = False, progress: Progress = lambda _read: None) -> Imported:
    """Store the rows in batches, one transaction each, then bring facts, levels and open runs up to date in one more.

    History fires nothing: no flow starts but those with `existing: enter`, no `goal` step runs; runs may end. With `dry_run` rows
    are only read. An import that was interrupted leaves a mark, and the next one finishes both. Raises NotFound before the first apply.
    """
    found = Imported()
    touched: set[int] | None = set()
    if not dry_run:
        catch_up(app, now)  # midnights gone by happened before these rows came: what they start must not come from history
    good = good_rows(source, found)
    with app.work(now) as work:
        found.resumed = bool(versions.get_mark(work.tx, UNFINISHED))
        project = work.project
    while batch := list(islice(good, BATCH)):
        if dry_run:
            found.stored += len(batch)
        else:
            with app.work(now) as work:
                versions.set_mark(work.tx, UNFINISHED, now.isoformat())
                users = _store(work, batch, source.pool, found)
            touched = None if touched is None or len(touched) > MOST_TOUCHED else touched | users
        progress(found.read)
    if not dry_run and (found.stored or found.resumed):
        _finish(app, Scope.everybody() if touched is None or found.resumed else Scope.of(touched), now, found)
    found.moves = {key: n for key, n in found.moves.items() if key[0] in project.tiers and not key[0].startswith(WATCH)}
    return found


def good_rows(source: Source, found: Imported) -> Iterator[Record]:
    """The rows that could be read; the others are counted and handed to `reject`, until there are too many."""
    for row in source.rows:
        found.read += 1
        if not isinstance(row, Rejected):
            yield row
            continue
        found.rejected += 1
        reason = _kind_of(row.reason)
        found.reasons[reason if reason in found.reasons or len(found.reasons) < MOST_REASONS else "other mistakes"] += 1
        source.reject(row)
        if source.max_errors is not None and found.rejected > source.max_errors:
            found.stopped = True
            return


def _kind_of(reason: str) -> str:
    """The reason without what stood in the row, so that rows with the same mistake are counted together."""
    return re.sub(r"(column '[^']*'): '.*?' (?=is |lies |has |must |can)", r"\1: a value ", reason)


def _store(work: Work, batch: Sequence[Record], pool: str, found: Imported) -> set[int]:
    """Store one batch; the users it concerns."""
    users = [r for r in batch if isinstance(r, UserRecord)]
    events = [r for r in batch if isinstance(r, EventRecord)]
    codes = [r for r in batch if isinstance(r, str)]
    touched: set[int] = set()
    new = 0
    if users:
        known = store_users.ids_by_key(work.tx, [u.key for u in users])
        ids = store_users.add_users(work.tx, work.project, users, work.now)
        new += len(ids.keys() - known.keys())
        work.identified |= set(ids.values()) if work.project.identities else set()
        unite_identified(work, may_start=False)
        touched |= set(ids.values())
    if events:
        stored = _store_events(work, events)
        new += len(stored)
        touched |= set(stored)
    if codes:
        new += grants.add_codes(work.tx, pool, codes)
    found.stored += new
    found.repeated += len(batch) - new
    return touched


def _store_events(work: Work, batch: Sequence[EventRecord]) -> list[int]:
    """Store those that are new, with what follows for tags, refusals and goals of open runs; the user of each that was new."""
    batch = [understood(record) for record in batch]
    known = store_events.known_messages(work.tx, [r.message_id for r in batch])
    fresh = list({r.message_id: r for r in batch if r.message_id not in known}.values())
    if not fresh:
        return []
    ids, _ = store_users.ensure_users(work.tx, work.project, [(r.user_key, r.at) for r in fresh])
    event_ids = store_events.add_events(work.tx, work.project, fresh, ids, work.now)
    told = [(event_ids[r.message_id], ids[r.user_key], r) for r in sorted(fresh, key=lambda r: r.at)]
    end_runs(work, runs.runs_undone(work.tx, {user for _, user, _ in told}), "undone")
    _our_own(work, told)
    _goals(work, told)
    texts = {tag.inside[0] for tag in work.project.tags.values() if tag.inside}
    for one in told:
        if one[2].event in texts:  # a keyword stands for so many days from when it was said
            then = Work(work.app, work.tx, work.live, one[2].at, identified=work.identified)
            tag_by_words(then, [one])
    gone = unite_identified(work, may_start=False)
    return [gone.get(user, user) for _, user, _ in told]


def _our_own(work: Work, told: Sequence[tuple[int, int, EventRecord]]) -> None:
    """What came back about our messages: refusals, blocks, codes used. An old reply makes no task."""
    for event_id, user, record in told:
        if record.event in BUILT_IN_EVENTS and record.event != "replied":
            receive(work, event_id, user, record)


def _goals(work: Work, told: Sequence[tuple[int, int, EventRecord]]) -> None:
    """Goals of runs that were there, by the time of the event, oldest first; their `goal` steps do not run."""
    sight = runs.runs_in_sight(work.tx, {user for _, user, _ in told}, min(record.at for _, _, record in told))
    if not sight:
        return
    listed = [run for group in sight.values() for run in group]
    begun = store_events.times_of(work.tx, [run.start_event_id for run in listed if run.start_event_id])
    touched = windows_of(work, [run.id for run in listed])
    endings = Endings()
    for event_id, user, record in told:
        for run in sight.get(user, ()):
            flow = flow_of(work, run)
            since = begun.get(run.start_event_id or 0, run.started_at)  # when it happened, though it may have arrived later
            if flow is not None and since <= record.at and run.start_event_id != event_id:
                for goal in _fitting(work, flow, record):
                    reached = Reached(goal.name, record.at, record.fields, steps=False)
                    reach_goal(work, run, flow, reached, touched.get(run.id, []), endings)
    endings.write(work)


def _fitting(work: Work, flow: Flow, record: EventRecord) -> list[Goal]:
    facts = event_facts(record, work.project)
    goals = [g for g in (*flow.counts, flow.goal) if g is not None]
    return [g for g in goals if fits(record, g.events, g.where, facts, work.project)]


def _finish(app: App, scope: Scope, now: datetime, found: Imported) -> None:
    """Facts of the users concerned, population numbers that were fitted to nobody, levels of everybody, runs that end, and `existing`."""
    with app.work(now) as work:
        metric_values.recompute(work.tx, work.project, scope, now)
        stored = latest_fits(work.tx)
        empty = {name for name, one in stored.items() if one.fit.people == 0 or one.fit.degenerate}
        fit_due(work, lambda metric, last: last is None or metric.name in empty)
        place_everybody(work, "import", may_start=False)
        ask_open_runs(work)
        found.started = start_existing(work)
        found.moves = tallies.moves_at(work.tx, "import", now)
        versions.set_mark(work.tx, UNFINISHED, "")
