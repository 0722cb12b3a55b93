"""Finds the events a condition rests on for a user, read from the log when asked: by the windows of the metrics, or as stored with tags."""

from collections.abc import Mapping
from datetime import datetime

from sop_engine.app import Work
from sop_engine.core.behind import names_behind, rests_on
from sop_engine.core.conditions import Condition, Value
from sop_engine.store import behind
from sop_engine.store import facts as store_facts
from sop_engine.store.behind import Behind
from sop_engine.store.scope import Scope


def level_evidence(work: Work, user_id: int, condition: Condition) -> tuple[Behind, ...]:
    """The events behind the rule of a level, as far as it holds now."""
    return events_of(work, user_id, condition, facts_behind(work, user_id, condition))


def events_of(
    work: Work, user_id: int, condition: Condition, facts: Mapping[str, Value | None] | None, at: datetime | None = None
) -> tuple[Behind, ...]:
    """The events a condition rests on, each once, oldest first; without facts all that it reads. `at`: as the windows were then."""
    found: dict[int, Behind] = {}
    for ref in rests_on(work.project, condition, facts):
        if ref.space == "metric":
            listed = behind.events_behind(work.tx, work.project, user_id, work.project.metrics[ref.name], at or work.now)
        else:
            listed = behind.stored_evidence(work.tx, user_id, ref.name)
        for one in listed:
            found.setdefault(one.id, one)
    return tuple(sorted(found.values(), key=lambda one: (one.at, one.id)))


def facts_behind(work: Work, user_id: int, condition: Condition | None, *more: str) -> dict[str, Value | None]:
    """What is known of the user now of all that a condition rests on."""
    names = {*names_behind(work.project, condition), *more}
    return dict(store_facts.read_facts(work.tx, work.project, names, Scope.of([user_id]), work.now).get(user_id, {}))
