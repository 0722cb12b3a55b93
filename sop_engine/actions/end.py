"""Ends runs: goals reached, exits, levels left; cancels what is planned and plans the steps that belong to an end."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sop_engine.actions.feeding import tell_ended, tell_goals
from sop_engine.app import Work
from sop_engine.core.conditions import Facts, Value, holds, refs_of
from sop_engine.core.consent import refuses_all
from sop_engine.core.enrolment import ending_exit, goal_counts
from sop_engine.core.interest import flow_conditions
from sop_engine.core.playbook import Flow
from sop_engine.core.run import Run, Touch
from sop_engine.core.schedule import DONE, Progress, closes_at, goal_window_end, wanted_at
from sop_engine.store import consent, grants, runs, touches
from sop_engine.store.people import lock_users


def flow_of(work: Work, run: Run) -> Flow | None:
    """The flow as the run started with it; None when its release is gone."""
    found = work.app.pinned(work, run.flow, run.version)
    return found[0] if found else None


def end_refused(work: Work, user_id: int) -> None:
    """End the open runs of a user who refuses all marketing, if they do."""
    if refuses_all(consent.opt_outs_of(work.tx, [user_id]).get(user_id, ())):
        sight = runs.runs_in_sight(work.tx, [user_id], work.now).get(user_id, [])
        end_runs(work, [run for run in sight if run.open], "opted_out")


def steps_seen(work: Work, run_ids: Iterable[int]) -> dict[int, dict[str, Value | None]]:
    """By run: `step.S` (it ran) and `step.S.opened` and the like, as facts."""
    ids = list(run_ids)
    facts: dict[int, dict[str, Value | None]] = {i: {} for i in ids}
    for run_id, listed in touches.touches_of_runs(work.tx, ids).items():
        facts[run_id].update({f"step.{t.step}": True for t in listed if t.opened_window or t.state == "sent"})
    for run_id, seen in touches.receipts_of_runs(work.tx, ids).items():
        facts[run_id].update({f"step.{step}.{kind}": True for step, kind in seen})
    return facts


def reads_steps(flow: Flow) -> bool:
    """Whether any condition of the flow looks at what its steps did."""
    return any(r.space == "step" for c in flow_conditions(flow) for r in refs_of(c))


@dataclass(frozen=True, slots=True)
class Reached:
    """A goal, by name, was reached: when, by an event with which fields, and whether `at: goal` steps may still run."""

    name: str
    at: datetime
    fields: Mapping[str, Value | None] = field(default_factory=dict)
    steps: bool = True


@dataclass
class Endings:
    """Collected in one pass over many runs, written together: runs to end by reason, touches to add, runs whose close may change."""

    by_reason: dict[str, list[Run]] = field(default_factory=dict)
    rows: list[dict[str, object]] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)
    goals: list[tuple[Run, datetime, Mapping[str, Value | None]]] = field(default_factory=list)
    counted: list[tuple[Run, str, datetime]] = field(default_factory=list)
    reached: set[int] = field(default_factory=set)  # runs in `goals`

    def end(self, run: Run, reason: str) -> None:
        """The run ends, for the first reason given."""
        if run.id not in self.ended:
            self.ended.add(run.id)
            self.by_reason.setdefault(reason, []).append(run)

    def write(self, work: Work) -> None:
        """Store everything collected."""
        runs.note_goals(work.tx, self.goals)
        runs.note_counted(work.tx, self.counted)
        own = [(run, flow.goal.name, at) for run, at, _ in self.goals if (flow := flow_of(work, run)) is not None and flow.goal is not None]
        tell_goals(work, [*own, *self.counted])
        touches.add_touches(work.tx, self.rows)
        for reason, listed in self.by_reason.items():
            end_runs(work, listed, reason)
        refresh_close(work, [i for i in self.kept if i not in self.ended])


def windows_of(work: Work, run_ids: Iterable[int]) -> dict[int, list[datetime]]:
    """By run: when its touches opened the goal's window."""
    listed = touches.touches_of_runs(work.tx, run_ids)
    return {run_id: [t.done_at or t.due_at for t in group if t.opened_window] for run_id, group in listed.items()}


def reach_goal(work: Work, run: Run, flow: Flow, reached: Reached, touched: Sequence[datetime], endings: Endings) -> None:
    """Count a goal (the flow's own, or one of `counts`) if it came inside its window after a touch; its own may end the run."""
    goal = next(g for g in (flow.goal, *flow.counts) if g is not None and g.name == reached.name)
    if not goal_counts(goal, reached.at, touched, work.live.zone):
        return
    if goal is not flow.goal:
        if reached.name not in run.counted:
            endings.counted.append((run, reached.name, reached.at))
        return
    if run.goal_at is not None or run.id in endings.reached:
        return
    endings.reached.add(run.id)
    endings.goals.append((run, reached.at, {f"event.{k}": v for k, v in reached.fields.items()}))
    if not run.open:
        return
    if reached.steps:
        now = work.moment(run.user_id)
        endings.rows += [touches.touch_row(work.project, run.id, run.user_id, flow, w) for w in wanted_at(flow, "goal", now)]
    if "goal" in flow.keep_going:
        endings.kept.append(run.id)
    else:
        endings.end(run, "goal")


def end_by_facts(work: Work, run: Run, flow: Flow, facts: Facts, touched: Sequence[datetime], endings: Endings) -> None:
    """Goals that become true without an event, then exits in file order."""
    for goal in (flow.goal, *flow.counts):
        if goal is not None and goal.enter is not None and holds(goal.enter, facts):
            reach_goal(work, run, flow, Reached(goal.name, work.moment(run.user_id)), touched, endings)
    reason = ending_exit(flow, facts) if run.open else None
    if reason is not None:
        endings.end(run, reason)


def end_runs(work: Work, ended: Sequence[Run], reason: str) -> None:
    """End open runs: cancel what is planned, plan their `at: end` steps, void unused benefits of undone ones.

    Of a run that ends `merged` nothing goes on: the user's other run is there for that.
    """
    ids = [run.id for run in ended]
    if not ids:
        return
    touches_of = touches.touches_of_runs(work.tx, ids)
    tell_ended(work, ended, reason)
    runs.end_runs(work.tx, {run.id: (run.user_id, work.moment(run.user_id)) for run in ended}, reason)
    kept = [(run, flow) for run in ended if (flow := flow_of(work, run)) is not None]
    flows = {run.id: flow for run, flow in kept}
    merged = reason == "merged"
    goal_steps = {t.id for listed in touches_of.values() for t in listed if not merged and _outlives(flows.get(t.run_id), t)}
    waiting = [t for listed in touches_of.values() for t in listed if t.state in ("planned", "queued") and t.id not in goal_steps]
    touches.cancel_touches(work.tx, {t.id: work.moment(t.user_id) for t in waiting}, "merged" if merged else "ended")
    ends = ((run, flow, w) for run, flow in kept if not merged for w in wanted_at(flow, "end", work.moment(run.user_id)))
    touches.add_touches(work.tx, [touches.touch_row(work.project, run.id, run.user_id, flow, w) for run, flow, w in ends])
    if reason == "undone":
        grants.void_unused(work.tx, ids)
    runs.set_close(work.tx, {run.id: _window_end(work, run, flow, touches_of.get(run.id, [])) for run, flow in kept})


def _outlives(flow: Flow | None, touch: Touch) -> bool:
    step = flow.step(touch.step) if flow else None
    return step is not None and step.at is not None and step.at.kind in ("goal", "end")


def _window_end(work: Work, run: Run, flow: Flow, listed: Sequence[Touch]) -> datetime | None:
    """Until when goals of an ended run still count; None when none can."""
    times = [t.done_at or t.due_at for t in listed if t.opened_window]
    lengths = [g.within for g in (flow.goal, *flow.counts) if g is not None and (g is not flow.goal or run.goal_at is None)]
    if not times or not lengths:
        return None
    return max(goal_window_end(max(times), length, work.live.zone) for length in lengths)


def refresh_close(work: Work, run_ids: Sequence[int]) -> None:
    """Work out anew when these open runs will be finished."""
    listed = touches.touches_of_runs(work.tx, run_ids)
    found = runs.get_runs(work.tx, run_ids)
    times: dict[int, datetime | None] = {}
    for run in found.values():
        flow = flow_of(work, run)
        if run.open and flow is not None:
            times[run.id] = closes_at(flow, _progress(run, listed.get(run.id, [])), work.now, work.live.zone)
    runs.set_close(work.tx, times)


def _progress(run: Run, listed: Sequence[Touch]) -> Progress:
    windows = [t.done_at or t.due_at for t in listed if t.opened_window]
    return Progress(
        waiting=any(t.state not in DONE and t.state != "unknown" for t in listed),  # nobody waits for what may never be known
        ran=frozenset(t.step for t in listed if t.opened_window),
        last_touch_at=max(windows, default=None),
        goal_reached=run.goal_at is not None,
    )


def close_finished(work: Work) -> int:
    """End the runs that are finished by now; how many."""
    due = runs.runs_to_close(work.tx, work.now)
    if due:
        lock_users(work.tx, {run.user_id for run in due})
        now = runs.get_runs(work.tx, [run.id for run in due]).values()  # another worker may have changed them meanwhile
        due = [run for run in now if run.open and run.close_at is not None and run.close_at <= work.now]
    end_runs(work, due, "finished")
    return len(due)
