"""Decides how far a comparison has come against its plan, and how many days are left."""

from datetime import date

from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.judge import Moment
from sop_engine.core.comparison.sample import Sample
from sop_engine.core.comparison.values import PlanTold
from sop_engine.core.stats.bounds import END, RUNNING

RECENT = 28  # days the present rate of entries is taken over


def plan_told(sample: Sample, mature: Sample, design: Design, moment: Moment, ended_on: date | None) -> PlanTold:
    """The plan beside what is there."""
    begun = sample.start_day[sample.started]
    equal = 1 / (len(sample.arms) or 1)
    shares = {name: (design.shares or {}).get(name, 0.0) if design.shares is not None else equal for name in sample.arms}
    return PlanTold(
        design.mode,
        moment.final,
        design.planned,
        mature.size() / design.planned if design.planned else None,
        (END if moment.final or design.mode == "fixed" else RUNNING)[design.mode],
        design.window_days,
        design.control,
        len(sample.arms) - design.control_known,
        shares,
        design.shares is None,
        date.fromordinal(int(begun.min())).isoformat() if design.dated and len(begun) else None,
        ended_on.isoformat() if ended_on else None,
        days_left(sample, design) if not moment.final else 0 if design.dated else None,
        design.hold_out,
    )


def days_left(sample: Sample, design: Design) -> int | None:
    """Days until the planned number of users is mature: exactly if they are all in, else at the rate of the last four weeks."""
    import numpy as np

    if design.planned is None or not design.dated or design.data_through is None:
        return None
    through = design.data_through.toordinal()
    starts, over = sample.start_day[sample.started], np.sort(sample.mature_day[sample.started])
    if len(over) >= design.planned:
        return max(0, int(over[design.planned - 1]) - through)
    if not len(starts):
        return None
    span = min(RECENT, through - int(starts.min()) + 1)
    recent = int(((starts > through - span) & (starts <= through)).sum()) / max(span, 1)
    if recent <= 0:
        return None
    return int(np.ceil((design.planned - len(over)) / recent)) + (design.window_days or 0)
