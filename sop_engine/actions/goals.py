"""Counts goals by event: which of a user's runs an event is a goal of, by the time it happened."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from sop_engine.actions.end import Endings, Reached, flow_of, reach_goal, windows_of
from sop_engine.app import Work
from sop_engine.core.catalog import Goal
from sop_engine.core.conditions import Condition, Facts, Value, holds, refs_of
from sop_engine.core.playbook import Flow
from sop_engine.core.project import Project
from sop_engine.core.records import EventRecord
from sop_engine.core.run import Run
from sop_engine.store import events as store_events
from sop_engine.store import runs

TRIGGER_WINDOW = timedelta(hours=72)  # an event that comes later starts no flow


@dataclass(frozen=True, slots=True)
class Stored:
    """An event that is in the log, with its user."""

    id: int
    user_id: int
    record: EventRecord
    facts: Facts = field(default_factory=dict)  # fields, and actor source date hour weekday
    counted: bool = True  # false: a trial, taken back already, or the same order once more


def event_facts(record: EventRecord, project: Project) -> dict[str, Value | None]:
    """What `where` may read of an event: its fields, and actor, source, local date, hour and weekday."""
    local = record.at.astimezone(project.zone)
    return {
        **record.fields,
        "id": record.message_id,
        "actor": record.actor,
        "source": record.source,
        "date": local.date(),
        "hour": Decimal(local.hour),
        "weekday": Decimal(local.isoweekday()),
    }


def fits(record: EventRecord, kinds: Iterable[str], where: Condition | None, facts: Facts, project: Project) -> bool:
    """Whether an event is one of `kinds` and fits `where`; what others did is seen only where `where` names the actor."""
    if record.event not in kinds:
        return False
    catalogued = project.events.get(record.event)
    if catalogued is not None and catalogued.where is not None and not holds(catalogued.where, facts):
        return False
    others = (catalogued is not None and catalogued.built_in) or any(r.name == "actor" for r in refs_of(where))
    if record.actor != "user" and not others:
        return False
    return where is None or holds(where, facts)


def is_late(record: EventRecord, now: datetime) -> bool:
    """Whether the event came so late that it starts nothing and runs no goal step."""
    return now - record.at > TRIGGER_WINDOW


def count_goals(work: Work, stored: Sequence[Stored], *, history: bool = False) -> None:
    """Goals by event, for runs that were there before the event; of `history` no goal step runs."""
    if not stored:
        return
    sight = runs.runs_in_sight(work.tx, [s.user_id for s in stored], min(s.record.at for s in stored))
    begun = store_events.times_of(work.tx, [r.start_event_id for listed in sight.values() for r in listed if r.start_event_id])
    found: list[tuple[Stored, Run, Flow, Goal]] = []
    for one in stored:
        for run in sight.get(one.user_id, ()):
            flow = flow_of(work, run)
            since = begun.get(run.start_event_id or 0, run.started_at)  # when it happened, though it may have arrived later
            if flow is not None and since <= one.record.at and run.start_event_id != one.id:
                found += [(one, run, flow, goal) for goal in _reached(work, flow, one)]
    if not found:
        return
    touched = windows_of(work, {run.id for _, run, _, _ in found})
    endings = Endings()
    for one, run, flow, goal in found:
        reached = Reached(goal.name, one.record.at, one.record.fields, not history and not is_late(one.record, work.now))
        reach_goal(work, run, flow, reached, touched.get(run.id, []), endings)
    endings.write(work)


def _reached(work: Work, flow: Flow, one: Stored) -> list[Goal]:
    goals = [g for g in (*flow.counts, flow.goal) if g is not None]
    return [g for g in goals if fits(one.record, g.events, g.where, one.facts, work.project)]
