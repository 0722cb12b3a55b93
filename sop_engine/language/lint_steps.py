"""Decides on which day a step comes, for the lints that count days."""

from sop_engine.core.playbook import Flow, Step


def day_of(flow: Flow, step: Step) -> int | None:
    """The day of the step, counted from day 0 of the flow; None where it repeats, or depends on the goal or the end."""
    before = flow.step(step.source) if step.source else None
    start = day_of(flow, before) if before else 0
    own = _own_day(step)
    return None if start is None or own is None else start + own


def days_after(flow: Flow, step: Step, earlier: Step) -> int | None:
    """How many days the step comes after an earlier one; None where that is not known."""
    if step.source == earlier.name:
        return _own_day(step)
    first, second = day_of(flow, earlier), day_of(flow, step)
    return None if first is None or second is None else second - first


def _own_day(step: Step) -> int | None:
    if step.after is not None:
        return step.after.days
    if step.at is None or step.at.kind in ("goal", "end"):
        return None
    return step.at.day
