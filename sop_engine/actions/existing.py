"""Starts flows for users who matched already on the day of release or through an import: only so many a day, oldest first."""

from sop_engine.actions.start import Candidate, start_runs
from sop_engine.app import Work
from sop_engine.core.models import watched
from sop_engine.core.playbook import Flow
from sop_engine.store import waiting

CAUSE = "matched already"


def start_existing(work: Work) -> int:
    """For each flow with `existing: enter`, start up to `existing_per_day` of those still waiting. How many started."""
    return sum(_start(work, flow) for flow in work.project.flows.values() if flow.existing)


def _start(work: Work, flow: Flow) -> int:
    seen = watched(flow)
    if seen is None or flow.start.kind == "leave":
        return 0
    room = (flow.existing_per_day or 0) - waiting.started_on(work.tx, flow.id, CAUSE, work.day)
    started = 0
    while room > started:
        users = waiting.matched_before(work.tx, flow.id, seen, room - started)
        if not users:
            break
        candidates = [Candidate(u, flow, CAUSE, f"existing:{work.day}") for u in users]
        started += start_runs(work, candidates)
    return started
