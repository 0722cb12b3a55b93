"""Says how many sends of a step are to be expected on a day, from what an operator would look at: the days before."""

from collections import Counter
from datetime import datetime

from sop_engine.app import Work
from sop_engine.core.calendar import DAY
from sop_engine.core.playbook import Flow
from sop_engine.store import sends

DAYS, KNOWN_DAYS = 14, 7


def forecast_of(work: Work, flow: Flow, step: str, today: datetime) -> tuple[int, str]:
    """How many sends of the step are expected today, and in words why. Nothing of today is evidence, for today may be wrong.

    A step that was sent on at least 7 of the last 14 days: the most on one of them. Else whatever is the most of: its sends on one of
    these days; the starts of its flow on one of them; the runs that were open before today; the users who came into its level, or
    did its event, on one of them, and those there before, so many a day. Where there is none of this (a campaign sent for the
    first time, a shop that opens today), everybody in the flow: `sop plan` and `sop count` have shown who that is.
    """
    sent = _sent(work, flow.id, step, today)
    most = max(sent.values(), default=0)
    if len(sent) >= KNOWN_DAYS:
        return most, "the most on a day of the last 14"
    since, before = work.day - DAYS, work.day
    starts = max(sends.started_days(work.tx, flow.id, since, before), default=0)
    found = {
        "the most on a day of the last 14": most,
        "the most starts on a day of the last 14": starts,
        "runs that were open before today": sends.open_before(work.tx, flow.id, before),
        "users who could start on a day of the last 14": _could_start(work, flow, since, before),
    }
    basis = max(found, key=lambda name: found[name])
    return (found[basis], basis) if found[basis] else (sends.open_before(work.tx, flow.id), "users in it")


def _sent(work: Work, flow: str, step: str, today: datetime) -> Counter[object]:
    """Sends by local day, of the days on which there were any."""
    by_day: Counter[object] = Counter()
    for row in sends.slots_of(work.tx, [flow], today - DAYS * DAY, step=step):
        if row.slot < today:
            by_day[row.slot.astimezone(work.live.zone).date()] += row.sends
    return by_day


def _could_start(work: Work, flow: Flow, since: int, before: int) -> int:
    days: list[int] = []
    if flow.start.kind == "event":
        days = sends.happened_days(work.tx, flow.start.events, since, before)
    elif flow.start.kind == "level":
        days = sends.entered_days(work.tx, flow.start.tier, flow.start.level, since, before)
    return max(days, default=0) + (flow.existing_per_day or 0)
