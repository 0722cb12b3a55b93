"""Follows tracked links to where they lead, and judges later whether a person or a machine followed them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sop_engine.actions.ingest import NotRecorded, record_events
from sop_engine.actions.telling import tell
from sop_engine.app import App, Work
from sop_engine.core import tokens
from sop_engine.core.errors import NotFound
from sop_engine.core.links import PURPOSE, SIZE, TOGETHER, LinkRules, Visit, all_at_once, suspicion, with_token
from sop_engine.core.records import EventRecord
from sop_engine.store import links, shares
from sop_engine.store.links import Click, Target
from sop_engine.store.repeating import repeated

MOST = 500  # visits judged in one go
SOURCE = "sop"


@dataclass(frozen=True, slots=True)
class Followed:
    """What to answer: 302 with a target, 404 for what we never signed, 410 for what is over."""

    status: int
    target: str = ""


def follow(app: App, token: str, visit: Visit, now: datetime) -> Followed:
    """Where a tracked link leads; the visit is noted. The target is the one that was stored, whatever the request says."""
    payload = tokens.read(app.settings.signing_keys, token, PURPOSE, SIZE)
    if payload is None:
        return Followed(404)
    touch, _, number = payload.partition(".")
    target, rules = _look(app, int(touch), int(number), now)
    if target is None:
        return Followed(302, rules.fallback) if rules.fallback else Followed(410)
    _note(app, target, suspicion(visit, target.accepted_at, now), now)
    return Followed(302, with_token(target.url, rules.share_as, token) if rules.share_as else target.url)


def _look(app: App, touch_id: int, n: int, now: datetime) -> tuple[Target | None, LinkRules]:
    try:
        with app.work(now) as work:
            rules = work.project.settings.links
            target = links.find(work.tx, touch_id, n)
    except NotFound:  # nothing was ever applied
        return None, LinkRules()
    over = target is not None and target.at + timedelta(days=rules.keep.days or 0) < now
    return None if over else target, rules


def _note(app: App, target: Target, why: str, now: datetime) -> None:
    def once() -> None:
        with app.transaction() as tx:
            links.note_visit(tx, target.touch_id, target.n, why, now)

    try:
        repeated(once)
    except Exception as error:  # whoever follows a link gets there, even when nothing can be written
        tell("click_not_kept", level="warning", touch=target.touch_id, error=type(error).__name__)


def settle_clicks(app: App, now: datetime) -> int:
    """Judge visits once every link of their message could have been opened; a person's becomes the event `clicked`. How many did."""
    with app.work(now) as work:
        waiting = links.pending(work.tx, now - TOGETHER, MOST)
        if not waiting:
            return 0
        times = links.times_of(work.tx, {c.touch_id for c in waiting})
        flows = {c.flow: work.project.flows.get(c.flow) for c in waiting}
    judged = {(c.touch_id, c.n): "all_at_once" if all_at_once(times[c.touch_id][1], times[c.touch_id][0]) else "" for c in waiting}
    genuine = [c for c in waiting if not judged[c.touch_id, c.n]]
    levels = {name: flow.level or "" if flow else name.partition("/")[2] for name, flow in flows.items()}
    records = [_clicked(c, levels[c.flow]) for c in genuine]
    try:
        record_events(app, records, now)  # each has a fixed id: done again after a crash it changes nothing
    except NotRecorded as error:
        tell("click_not_taken", level="error", count=len(error.failed), error=error.reason)
    with app.transaction() as tx:
        links.judge(tx, judged)
    return len(genuine)


def next_judging(work: Work) -> datetime | None:
    """When the oldest visit that waits can be judged."""
    at = links.next_pending(work.tx) if work.app.rehearsal is None else None
    return None if at is None else at + TOGETHER


def forget_links(app: App, now: datetime) -> None:
    """Let go of links that work no more."""
    with app.work(now) as work:
        before = now - timedelta(days=work.project.settings.links.keep.days or 0)
        links.forget(work.tx, before)
        shares.forget(work.tx, before)


def _clicked(click: Click, level: str) -> EventRecord:
    fields = {"playbook": click.flow.partition("/")[0], "level": level, "step": click.step, "link": click.name}
    fields |= {"channel": click.channel, "template": click.template}
    return EventRecord(
        f"click:{click.touch_id}.{click.n}", click.user_key, "clicked", click.at, fields, "user", SOURCE, touch_id=click.touch_id
    )
