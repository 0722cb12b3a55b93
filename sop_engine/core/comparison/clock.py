"""Decides for one user whether the clock started, when their window is over, and whether they came back in it: in all arms alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sop_engine.core.calendar import end_of_length, local_day
from sop_engine.core.forms import Length


@dataclass(frozen=True, slots=True)
class Deed:
    """Something a user did. `goal`: it is the measured goal; `amount`: money, None when it is no purchase; `ref` ties its refund."""

    at: datetime
    goal: bool = False
    amount: float | None = None
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A refund of what `ref` names; without an amount, of all of it."""

    at: datetime
    ref: str
    amount: float | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """One user in the experiment: the first due time at which arms differ, the end of the run, deeds and refunds in order of time."""

    due_at: datetime | None
    ended_at: datetime | None
    deeds: Sequence[Deed] = ()
    refunds: Sequence[GivenBack] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """The goal's window, counted in the project's days; and the end of the last complete day."""

    within: Length
    zone: ZoneInfo
    closed_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a user. Days are ordinals, -1 for none; `late_refund`: the return was taken back after the window."""

    started: bool = False
    ended_before: bool = False
    start_day: int = -1
    mature_day: int = -1
    back: bool = False
    after: int = -1
    value: float = 0.0
    late_refund: bool = False


def outcome(life: Life, window: Window) -> Outcome:
    """The user's outcome by what is known at the end of the last complete day.

    Returns count after the due time only; who came back, or whose run ended, before it is out in every arm, for until then all
    arms were treated alike. An order refunded whole inside the window is no return; money is net of refunds inside it.
    """
    t0 = life.due_at
    if life.ended_at is not None and (t0 is None or life.ended_at < t0):
        return Outcome(ended_before=True)
    if t0 is None or t0 >= window.closed_at:
        return Outcome()
    if any(d.goal and d.at <= t0 for d in life.deeds):
        return Outcome(ended_before=True)
    end = end_of_length(t0, window.within, window.zone)
    start_day = local_day(t0, window.zone).toordinal()
    mature_day = start_day + window.within.days if window.within.days is not None else local_day(end, window.zone).toordinal()
    after = [d for d in life.deeds if t0 < d.at < window.closed_at]
    kept = [d for d in after if _left(d, life.refunds, min(end, window.closed_at)) is not None]
    inside = [d for d in kept if d.at < end]
    returns = [d for d in kept if d.goal]
    late = [d for d in inside if d.goal and _left(d, life.refunds, window.closed_at) is None]
    back = any(d.goal for d in inside)
    return Outcome(
        started=True,
        start_day=start_day,
        mature_day=mature_day,
        back=back,
        after=local_day(returns[0].at, window.zone).toordinal() - start_day if returns else -1,
        value=sum(_left(d, life.refunds, end) or 0.0 for d in inside if d.amount is not None),
        late_refund=back and len(late) == sum(d.goal for d in inside),
    )


def _left(deed: Deed, refunds: Sequence[GivenBack], until: datetime) -> float | None:
    """What is left of a deed by refunds until then; None when it was taken back whole."""
    amount = deed.amount or 0.0
    mine = [r for r in refunds if r.ref == deed.ref and r.at < until] if deed.ref is not None else []
    if not mine:
        return amount
    if deed.amount is None or any(r.amount is None for r in mine):
        return None
    left = amount - sum(r.amount or 0.0 for r in mine)
    return left if left > 1e-9 else None
