"""Keeps calls to an account below its rate, over all workers: what does not fit now is planned for when it does."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sop_engine.app import App, Work
from sop_engine.core.rates import rate_of
from sop_engine.core.run import Touch
from sop_engine.store import buckets, queue, touches
from sop_engine.store.repeating import repeated

Hints = Sequence[tuple[int, int]]
GONE = "?"  # the account of what belongs to a step that is gone


def paced(app: App, hints: Hints, now: datetime) -> Hints:
    """The hints that may be delivered now; the others are planned again, each for the moment at which it will fit."""
    if app.settings.sending != "live" or not app.settings.has_rates:
        return hints

    def once() -> set[int]:
        with app.work(now) as work:
            by_account: dict[str, list[Touch]] = {}
            for touch in queue.queued_for_delivery(work.tx, hints):
                if touch.late_at >= now:  # the others are no calls any more: they are skipped now, however full the account is
                    by_account.setdefault(_account(work, touch), []).append(touch)
            return {t.id for account, listed in by_account.items() if account for t in _hold_back(work, account, listed)}

    later = repeated(once)  # room that a try which failed took in Redis is lost: slower, never faster
    return [hint for hint in hints if hint[0] not in later]


def called_account(work: Work, flow: str, step: str) -> str:
    """The account a touch of this step is a call to, over the network; empty when it is none. A step that is gone is taken for one."""
    if work.app.settings.sending != "live":
        return ""
    found = work.project.flows.get(flow)
    known = found.step(step) if found is not None else None
    if known is None:
        return GONE
    names = known.send.names() if known.send is not None else ()
    channels = [work.project.channels[t.channel] for name in names for t in work.project.templates.get(name, {}).values()]
    return next((c.account for c in channels if work.app.capability(c).remote), "")


def shares_calls(work: Work, flow: str, step: str) -> bool:
    """Whether messages of this step to many people can be one call over the network: then they are delivered together."""
    found = work.project.flows.get(flow)
    known = found.step(step) if found is not None else None
    names = known.send.names() if known is not None and known.send is not None else ()
    channels = {work.project.template(name, None).channel for name in names if name in work.project.templates}
    able = [work.app.capability(work.project.channels[channel]) for channel in channels]
    return any(one.remote and one.batch > 1 for one in able)


def _account(work: Work, touch: Touch) -> str:
    """The account of the first text of the step, if it has a rate."""
    flow = work.project.flows.get(touch.flow)
    step = flow.step(touch.step) if flow is not None else None
    if step is None or step.send is None:
        return ""
    account = work.project.channels[work.project.template(step.send.names()[0], None).channel].account
    return account if rate_of(work.app.settings.rate(account)) else ""


def _hold_back(work: Work, account: str, listed: Sequence[Touch]) -> Sequence[Touch]:
    rate = rate_of(work.app.settings.rate(account))
    assert rate is not None
    if work.app.pace is not None:
        fits, wait = work.app.pace.take(work.tx, account, len(listed))
    else:
        fits, wait = buckets.take(work.tx, account, rate, len(listed), work.app.lease_time(work.tx, work.now))
    late = listed[fits:]
    rows = [
        {"touch": t.id, "state": "planned", "reason": "throttled", "due_at": _at(t, work.now + wait + rate.apart * i), "lease_until": None}
        for i, t in enumerate(late)
    ]
    touches.write(work.tx, "queued", rows)
    return late


def _at(touch: Touch, at: datetime) -> datetime:
    return min(at, touch.late_at + timedelta(seconds=1))
