"""Makes the text of a project live: stores the release, its versions, places everybody, and moves or ends runs if asked to."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sop_engine.actions.closing import begin_periods
from sop_engine.actions.end import end_runs, refresh_close
from sop_engine.actions.everybody import place_everybody
from sop_engine.actions.existing import start_existing
from sop_engine.actions.ramping import starts_forecast
from sop_engine.actions.refresh import fit_due
from sop_engine.actions.replanning import replan_calendar
from sop_engine.actions.scheduled import FIRED
from sop_engine.actions.start import timing_of
from sop_engine.actions.sweep import SWEPT
from sop_engine.actions.unite import note_identities_anew
from sop_engine.app import INSTANCE, RELEASE, App, Work
from sop_engine.core.catalog import Calendar
from sop_engine.core.errors import Refused, SopError
from sop_engine.core.playbook import Flow, Step
from sop_engine.core.project import Project
from sop_engine.core.run import Run
from sop_engine.core.schedule import RunTimes, reconcile, wanted, wanted_after
from sop_engine.core.version import fingerprint
from sop_engine.store import audit, metric_values, runs, touches, versions
from sop_engine.store.people import lock_everybody, people
from sop_engine.store.scope import Scope

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Change:
    """What an apply does to one flow. `kind`: new, changed, same or removed; `running`: open runs on older versions."""

    flow: str
    kind: str
    old: int | None
    new: int | None
    running: int = 0
    approve_by: str = ""
    ramp: int | None = None  # the new version opens slowly: so many starts a day are forecast


@dataclass(frozen=True, slots=True)
class Options:
    """How an apply treats running users: carry them over, give them corrected texts, end runs of removed flows; and who approved."""

    move: bool = False
    texts: bool = False
    stop: bool = False
    approved_by: str = ""
    by: str = ""  # who applies it
    at_once: bool = False  # new versions are open to everybody from the first day


def preview(app: App, project: Project, now: datetime | None = None) -> list[Change]:
    """What applying this project now would change, flow by flow; nothing is written. Without `now` no version opens slowly."""
    with app.transaction() as tx:
        return _changes(tx, project, now)


def _changes(tx: "Connection", project: Project, slowly_from: datetime | None) -> list[Change]:
    latest = versions.latest_versions(tx)
    running = runs.count_open(tx)
    changes = []
    for flow in project.flows.values():
        old = latest.get(flow.id)
        same = old is not None and old.fingerprint == fingerprint(flow, project)
        number = 1 if old is None else old.number if same else old.number + 1
        older = sum(many for (name, version), many in running.items() if name == flow.id and version != number)
        kind = "new" if old is None else "same" if same else "changed"
        ramp = starts_forecast(tx, flow.id, slowly_from) if kind == "changed" and slowly_from is not None else None
        changes.append(Change(flow.id, kind, old.number if old else None, number, older, flow.approve_by, ramp))
    for name, version in latest.items():
        many = sum(n for (flow, _), n in running.items() if flow == name)
        if name not in project.flows and many:
            changes.append(Change(name, "removed", version.number, None, many))
    return changes


def apply(app: App, files: Mapping[str, str], project: Project, now: datetime, options: Options | None = None) -> list[Change]:
    """Make a checked project live, in one transaction. Raises Refused when a changed flow needs an approval that is missing."""
    options = options or Options()
    with app.transaction() as tx:
        lock_everybody(tx)
        before = _calendar_before(app, tx)
        changes = _changes(tx, project, None if options.at_once or app.rehearsal is not None else now)
        _need_approval(changes, options)
        versions.add_release(tx, project.hash, files, now)
        for change in changes:
            if change.kind in ("new", "changed") and change.new is not None:
                mark = fingerprint(project.flows[change.flow], project)
                version = versions.Version(change.flow, change.new, mark, project.hash, ramp=change.ramp)
                versions.add_version(tx, version, now, approved_by=options.approved_by)
        versions.set_mark(tx, RELEASE, project.hash)
        _first_marks(tx, now, project, app.settings.instance)
        app.forget_live()
        work = Work(app, tx, app.live(tx), now)
        _bring_up(work, changes)
        _running_users(work, changes, options)
        replan_calendar(work, before)
        start_existing(work)
        _note(work, changes, options)
        app.forget_live()  # what was pinned meanwhile may have other texts now
    return changes


def _calendar_before(app: App, tx: "Connection") -> Calendar | None:
    """The calendar of the release that is live still; None when there is none, or when its text cannot be read any more."""
    try:
        return app.live(tx).project.calendar
    except SopError:
        return None


def _note(work: Work, changes: Sequence[Change], options: Options) -> None:
    if work.app.rehearsal is None:
        listed = {kind: [c.flow for c in changes if c.kind == kind] for kind in ("new", "changed", "removed")}
        ways = {name: getattr(options, name) for name in ("move", "texts", "stop") if getattr(options, name)}
        about = {"release": work.live.release, **listed, **ways, "approved_by": options.approved_by}
        audit.note(work.tx, options.by, "applied", about, work.now)


def _need_approval(changes: Sequence[Change], options: Options) -> None:
    waiting = [c for c in changes if c.approve_by and c.kind in ("new", "changed")]
    if waiting and not options.approved_by:
        listed = ", ".join(f"{c.flow} ({c.approve_by})" for c in waiting)
        raise Refused(f"these flows need an approval before they go live: {listed}. Say who approved with --approved-by NAME.")


def _first_marks(tx: "Connection", now: datetime, project: Project, instance: str) -> None:
    if versions.get_mark(tx, INSTANCE) is None:
        versions.set_mark(tx, INSTANCE, instance or hashlib.sha256(f"{project.settings.name}{now.isoformat()}".encode()).hexdigest()[:16])
    if versions.get_mark(tx, SWEPT) is None:
        versions.set_mark(tx, SWEPT, str(now.astimezone(project.zone).date().toordinal()))
    versions.keep_marks(tx, FIRED, project.flows)  # a flow that comes back later has missed nothing
    for flow in project.flows.values():
        if flow.start.kind in ("every", "date") and versions.get_mark(tx, FIRED + flow.id) is None:
            versions.set_mark(tx, FIRED + flow.id, now.isoformat())
    begin_periods(tx, project, now)


def _bring_up(work: Work, changes: Sequence[Change]) -> None:
    """Columns, values, fits and levels of everybody for the new rules. Who matches on this day is no start (see `existing`)."""
    fresh = metric_values.prepare(work.tx, work.project)
    if fresh:
        metric_values.recompute(work.tx, work.project, Scope.everybody(), work.now, only=fresh)
    rehearsal = work.app.rehearsal
    if rehearsal is None or rehearsal.draws:
        fit_due(work, lambda _metric, last: last is None)
    note_identities_anew(work)
    place_everybody(work, "apply", may_start=False)


def _running_users(work: Work, changes: Sequence[Change], options: Options) -> None:
    for change in changes:
        if change.kind == "removed" and options.stop:
            _each_open(work, change.flow, lambda page: end_runs(work, page, "stopped"))
        elif change.running and change.kind != "removed" and options.move:
            flow, number = work.project.flows[change.flow], change.new or 1
            _each_open(work, change.flow, lambda page, f=flow, n=number: _move(work, page, f, n))  # type: ignore[misc]  # bound now
        elif change.running and change.kind != "removed" and options.texts:
            versions.set_texts(work.tx, change.flow, work.live.release)


def _each_open(work: Work, flow: str, do: Callable[[Sequence[Run]], None]) -> None:
    after = 0
    while page := runs.open_runs(work.tx, [flow], after, 500):
        do(page)
        after = page[-1].id


def _keeps_its_time(step: Step) -> bool:
    """Whether the time of a step that is planned already came from what happened since the start, and so stays."""
    return step.source is not None or step.every is not None or (step.at is not None and step.at.kind in ("goal", "end"))


def _move(work: Work, page: Sequence[Run], flow: Flow, number: int) -> None:
    """Carry open runs over by step names: what has run stays, what is gone is cancelled, what is new is planned."""
    known = people(work.tx, {run.user_id for run in page})
    listed = touches.touches_of_runs(work.tx, [run.id for run in page])
    for run in page:
        person = known[run.user_id]
        times = RunTimes(run.started_at, run.anchor_day, f"{person.key}:{run.start_key}")
        timing, mine = timing_of(work, person, {}), listed.get(run.id, [])
        kept = {s.name for s in flow.steps if _keeps_its_time(s)} & {t.step for t in mine}
        ran = {t.step: t.done_at or t.due_at for t in mine if t.opened_window}
        chained = [w for step, at in ran.items() for w in wanted_after(flow, step, times, at, timing)]
        wants = [w for w in (*wanted(flow, times, timing), *chained) if w.step not in kept]
        plan = reconcile(wants, [e for e in touches.existing_of(work.tx, run.id) if e.step not in kept])
        touches.carry_out(work.tx, work.project, run, flow, plan, work.now)
    runs.set_version(work.tx, [run.id for run in page], number)
    refresh_close(work, [run.id for run in page])
