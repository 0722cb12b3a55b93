"""Follows from users becoming one, or two again: facts from the log of each, goals, runs that end, levels asked anew."""

from collections.abc import Mapping, Sequence

from sop_engine.actions.end import end_runs
from sop_engine.actions.goals import Stored, count_goals, event_facts
from sop_engine.actions.place import Cause, end_runs_of, follow, move_users
from sop_engine.app import Work
from sop_engine.core.records import EventRecord
from sop_engine.store import merge_rows, metric_values, runs, settling, tags
from sop_engine.store.levels import Moved, Placed, current_levels
from sop_engine.store.scope import Scope
from sop_engine.store.users import typed_values

CAUSE = "merge"


def recount(work: Work, user_ids: Sequence[int]) -> None:
    """Facts anew from the log: what is taken back, stored values, tags by rule; runs end that an event started which is taken back."""
    settling.settle(work.tx, work.project, merge_rows.refs_of(work.tx, user_ids))
    end_runs(work, runs.runs_undone(work.tx, user_ids), "undone")
    scope = Scope.of(user_ids)
    metric_values.recompute(work.tx, work.project, scope, work.now)
    tags.refresh_rule_tags(work.tx, work.project, scope, work.now)


def live_on(work: Work, user: int, levels: Mapping[str, Placed], *, may_start: bool) -> None:
    """One user out of two: `levels` are those of who is none any more.

    A level the other was in already is not entered again, and runs that came with the other end where its level is left.
    """
    recount(work, [user])
    _goals_of_both(work, user)
    moved = move_users(work, [user], Cause(CAUSE))
    now = current_levels(work.tx, [user]).get(user, {})
    left = [
        Moved(user, model, placed.level, now[model].level if model in now else None, None, work.now, work.day)
        for model, placed in levels.items()
        if (now[model].level if model in now else None) != placed.level
    ]
    end_runs_of(work, [user], [*moved, *left])
    entered = [m for m in moved if m.model not in levels or levels[m.model].level != m.new]
    follow(work, [user], entered, Cause(CAUSE, may_start=may_start))


def live_apart(work: Work, user_ids: Sequence[int]) -> None:
    """Two users again: nothing starts because of it."""
    recount(work, user_ids)
    moved = move_users(work, user_ids, Cause(CAUSE))
    follow(work, user_ids, moved, Cause(CAUSE, may_start=False))


def _goals_of_both(work: Work, user: int) -> None:
    """What either did since a run began is what the user of the run did."""
    sight = runs.runs_in_sight(work.tx, [user], work.now).get(user, [])
    if not sight:
        return
    told: list[Stored] = []
    for row in merge_rows.events_since(work.tx, user, min(run.started_at for run in sight)):
        event = work.project.events.get(row["kind"])
        kinds = {name: f.type for name, f in event.fields.items()} if event is not None else {}
        fields = typed_values(row["fields"], kinds)
        record = EventRecord(row["message_id"], "", row["kind"], row["at"], fields, row["actor"], row["source"])
        told.append(Stored(row["id"], user, record, event_facts(record, work.project)))
    count_goals(work, told)
