"""Counts a cross table of delivered touches: the rate at which goals follow, by content type, channel, benefit, level or variant."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from sop_engine.app import Work
from sop_engine.core.calendar import end_of_length
from sop_engine.core.comparison.cross import BY, Cell, Delivered, cross_table
from sop_engine.core.errors import BadInput
from sop_engine.store.credits import DeliveredTouch, list_delivered


def cross(
    work: Work, name: str | Sequence[str] | None, by: Sequence[str], *, since: datetime | None = None, until: datetime | None = None
) -> list[Cell]:
    """The cells for a playbook or flow, or ids of flows (None: all), of touches delivered from `since` and before `until` (None: now).

    Raises BadInput for none or more than three `by`, or an unknown one.
    """
    unknown = [one for one in by if one not in BY]
    if unknown or not 1 <= len(by) <= 3:
        raise BadInput(f"--by takes one to three of: {', '.join(BY)}." + (f" '{unknown[0]}' is none of them." if unknown else ""))
    flows = list(work.project.flows) if name is None else _named(work, name) if isinstance(name, str) else list(name)
    listed = list_delivered(work.tx, flows, by, until or work.now)
    return cross_table(_credited(work, (t for t in listed if since is None or t.delivered_at >= since)))


def _named(work: Work, name: str) -> list[str]:
    return [f.id for f in work.project.flows.values() if name in (f.id, f.playbook, f.experiment_name)]


def _credited(work: Work, listed: Iterator[DeliveredTouch]) -> Iterator[Delivered]:
    """The last delivered touch before the goal, if the goal came inside its window, gets the credit."""
    for _, group in groupby(listed, key=lambda t: t.run_id):
        mine = list(group)
        best = _best(work, mine)
        yield from (Delivered(t.labels, t is best) for t in mine)


def _best(work: Work, mine: Sequence[DeliveredTouch]) -> DeliveredTouch | None:
    goal_at, flow = mine[0].goal_at, work.project.flows.get(mine[0].flow)
    if goal_at is None or flow is None or flow.goal is None:
        return None
    before = [t for t in mine if t.delivered_at <= goal_at < end_of_length(t.delivered_at, flow.goal.within, work.live.zone)]
    return max(before, key=lambda t: t.delivered_at, default=None)
