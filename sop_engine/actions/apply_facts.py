"""Applies what providers report: finds whom it is about, notes it beside the message, makes the event it is, and stops what it forbids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sop_engine.actions.confirming import KINDS as STAFF_KINDS
from sop_engine.actions.confirming import settle_staff
from sop_engine.actions.ingest import take_within
from sop_engine.actions.refusing import refuse, users_at
from sop_engine.actions.reported import Found, event_of
from sop_engine.actions.resolve import accepted
from sop_engine.actions.telling import tell
from sop_engine.actions.wechat_facts import apply_wechat
from sop_engine.app import Work
from sop_engine.channels.contract import FACTS, Fact
from sop_engine.core.feedback import (
    EVENTS,
    OF_A_MESSAGE,
    PROOF,
    RECEIPTS,
    REFUSALS,
    SOFT_BOUNCES,
    SOFT_WITHIN,
    is_history,
)
from sop_engine.core.records import EventRecord
from sop_engine.core.replies import is_opt_out
from sop_engine.store import touches, whose
from sop_engine.store.people import lock_users, people

PASSED_ON = frozenset({"credit", "connected", "disconnected", "alarm"})
"""Kinds about a person or an account and no message."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a fact: applied, parked (nobody knows yet what it is about) or dropped; why; the touch it was about."""

    state: str
    note: str = ""
    touch_id: int | None = None


def apply(work: Work, channel: str, facts: Sequence[Fact]) -> list[Outcome]:
    """Apply facts a channel reported, in order; what became of each.

    The users are held first. Applying a fact again changes nothing: receipts are kept once for each kind, events once for each key.
    """
    found = [_find(work, channel, fact) for fact in facts]
    if lock_users(work.tx, {user for one in found for user in one.users}):  # somebody became part of another user just now
        found = [_find(work, channel, fact) for fact in facts]
    outcomes, events = [], list[EventRecord]()
    for fact, one in zip(facts, found, strict=True):
        outcomes.append(_apply(work, channel, _in_the_past(fact, work.now), one, events))
    take_within(work, events)
    return outcomes


def _in_the_past(fact: Fact, now: datetime) -> Fact:
    return replace(fact, at=now) if fact.at > now else fact  # a clock elsewhere is ahead


def _find(work: Work, channel: str, fact: Fact) -> Found:
    """The message: by its key, else by the provider's number, else by our own; and the users: its own, else those at the address."""
    told_at = _reported_together(work, channel)
    touch = whose.touch_by_key(work.tx, told_at, fact.key) if fact.key else None
    if touch is None and fact.provider_id:
        touch = whose.touch_by_provider(work.tx, told_at, fact.provider_id, fact.to)
    if touch is None and fact.touch_id:
        touch = whose.touch_of_channels(work.tx, told_at, fact.touch_id)
    about = whose.about(work.tx, touch) if touch else None
    if about is not None:
        return Found(about, (about.user_id,))
    task = whose.task_of(work.tx, fact.key) if fact.key and fact.kind in ("task_done", "task_failed", "unsubscribed") else None
    if task is not None:
        return Found(None, (task.user_id,), task=True)
    users = users_at(work, channel, fact.to) if fact.to and fact.kind not in OF_A_MESSAGE else []
    latest = whose.latest_touch(work.tx, told_at, users) if users else None  # whoever answers means what came last
    about = whose.about(work.tx, latest) if latest and fact.kind in ("replied", "unsubscribed") else None
    if about is not None:
        users = [about.user_id, *(u for u in users if u != about.user_id)]
    return Found(about, tuple(users))


def _reported_together(work: Work, channel: str) -> list[str]:
    """The channels of one kind: what is sent by several may be reported at the address of any of them."""
    known = work.project.channels.get(channel)
    return [one.name for one in work.project.channels.values() if known is not None and one.via == known.via] or [channel]


def _apply(work: Work, channel: str, fact: Fact, found: Found, events: list[EventRecord]) -> Outcome:
    if fact.kind not in FACTS:
        return Outcome("dropped", "unheard_of")
    if fact.kind in PASSED_ON:
        return _pass_on(work, channel, fact)
    without = _without_effect(fact, found)
    if without is not None:
        return without
    channel = found.about.channel if found.about else channel
    event = None
    if fact.kind in EVENTS or fact.kind == "event":
        person = people(work.tx, found.users[:1])[found.users[0]]
        event = event_of(work, channel, fact, found, person.key)
        if event is None:
            return Outcome("dropped", "no_such_event", found.touch_id)
    fresh = _consequences(work, channel, fact, found)
    if event is not None and fresh:
        events.append(event)
    return Outcome("applied", "" if fresh else "history", found.touch_id)


def _without_effect(fact: Fact, found: Found) -> Outcome | None:
    """What becomes of a report about nobody, of a scanner that followed the links, or about a message that is proven not to be taken."""
    if not found.users:
        return Outcome("parked", "nobody_known")
    if fact.fields.get("suspect"):
        return Outcome("applied", "suspect", found.touch_id)
    if fact.kind in OF_A_MESSAGE and found.about and not found.about.handed:
        return Outcome("applied", "not_sent", found.touch_id)
    return None


def _consequences(work: Work, channel: str, fact: Fact, found: Found) -> bool:
    """Write what a fact means beside its event; False when something stronger was known already."""
    fresh = not found.about or _note(work, fact, found)
    _forbid(work, channel, fact, found)
    if fact.kind in STAFF_KINDS and found.touch_id and fresh:
        settle_staff(work, found.touch_id, fact)
    return fresh


def _pass_on(work: Work, channel: str, fact: Fact) -> Outcome:
    if fact.kind == "alarm":
        tell("channel_alarm", level="warning", channel=channel, reason=fact.code[:60])
    else:
        apply_wechat(work, channel, fact)
    return Outcome("applied")


def _note(work: Work, fact: Fact, found: Found) -> bool:
    """Note the receipt beside its message, and that the provider had taken it; False when something stronger was known already."""
    about = found.about
    if about is None or not about.handed:
        return True  # what came back is about the person alone
    history = is_history(fact.kind, whose.receipts_of(work.tx, about.touch_id))
    refusal = fact.kind == "replied" and is_opt_out(fact.text)  # that is no answer to what was asked
    noted = () if refusal else RECEIPTS.get(fact.kind, ())
    touches.add_receipts(work.tx, [(about.touch_id, kind, fact.at) for kind in noted])
    touch = touches.get_touch(work.tx, about.touch_id)
    if fact.kind in PROOF and touch is not None and touch.state in ("unknown", "failed"):
        accepted(work, touch, fact.provider_id or None)
    return not history


def _forbid(work: Work, channel: str, fact: Fact, found: Found) -> None:
    """Nothing more goes to an address that is dead, or whose owner has said so to the provider."""
    about, reason = found.about, REFUSALS.get(fact.kind)
    if fact.kind == "soft_bounced" and about is not None:
        often = whose.often(work.tx, about.user_id, about.address, "soft_bounced", work.now - SOFT_WITHIN)
        reason = "bounced" if often >= SOFT_BOUNCES else None
    if reason is not None:
        for user in found.users:
            refuse(work, user, channel, reason, fact.to or (about.address if about else ""))
