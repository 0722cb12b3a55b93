"""Plans repeated steps on workdays and weekends anew when the calendar of holidays has changed under them."""

from collections.abc import Sequence

from sop_engine.actions.start import timing_of
from sop_engine.app import Work
from sop_engine.core.catalog import Calendar
from sop_engine.core.playbook import Flow, Step
from sop_engine.core.run import Run, Touch
from sop_engine.core.schedule import RunTimes, Timing, Wanted, wanted_touch
from sop_engine.store import runs, touches
from sop_engine.store.people import people

PAGE = 500


def replan_calendar(work: Work, before: Calendar | None) -> int:
    """Move what is planned by a calendar other than `before` (None: nothing was live) to the days of the one that is live; how many.

    Only touches to come are moved, and none to the past; each step keeps its one planned touch.
    """
    if before is None or before == work.project.calendar:
        return 0
    moved = 0
    for flow, version in runs.count_open(work.tx):
        pinned = work.app.pinned(work, flow, version)
        steps = [s for s in pinned[0].steps if s.every is not None and s.every.kind in ("workday", "weekend")] if pinned else []
        if pinned is None or not steps:
            continue
        after = 0
        while page := runs.open_runs(work.tx, [flow], after, PAGE):
            after = page[-1].id
            moved += _move(work, pinned[0], steps, [run for run in page if run.version == version])
    return moved


def _move(work: Work, flow: Flow, steps: Sequence[Step], page: Sequence[Run]) -> int:
    known = people(work.tx, {run.user_id for run in page})
    listed = touches.touches_of_runs(work.tx, [run.id for run in page])
    shifted: list[tuple[int, Wanted]] = []
    for run in page:
        person = known[run.user_id]
        times = RunTimes(run.started_at, run.anchor_day, f"{person.key}:{run.start_key}")
        timing = timing_of(work, person, {})
        for step in steps:
            shifted += _shifted(work, flow, step, times, timing, [t for t in listed.get(run.id, []) if t.step == step.name])
    touches.reschedule(work.tx, shifted)
    return len(shifted)


def _shifted(work: Work, flow: Flow, step: Step, times: RunTimes, timing: Timing, mine: Sequence[Touch]) -> list[tuple[int, Wanted]]:
    waiting = [t for t in mine if t.state == "planned" and t.first_due_at > work.now]
    earlier = [t.first_due_at for t in mine if t not in waiting]
    wants = wanted_touch(flow, step, times, timing, after=max([times.started_at, work.now, *earlier]))
    return [(t.id, wants) for t in waiting if wants is not None and wants.due_at != t.first_due_at]
