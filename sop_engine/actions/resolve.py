"""Settles unknown outcomes: asks the provider, repeats under the same key, waits, gives up; or an operator decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sop_engine.actions.clocks import clock_off
from sop_engine.actions.composing import Seen, attempt_of
from sop_engine.actions.deliver import Watch, call_channels, conclude
from sop_engine.actions.end import refresh_close
from sop_engine.actions.gather import Gathered, Item, gather
from sop_engine.actions.intend import Intent, facts_of, situation_of
from sop_engine.actions.outcome import lift
from sop_engine.actions.telling import tell
from sop_engine.app import App, Work
from sop_engine.channels.contract import Capability, Handed, Receipt
from sop_engine.channels.frozen import thaw
from sop_engine.core.delivery import GiveUp, Repeat, Uncertain, Wait, settle_unknown
from sop_engine.core.errors import DeliveryError, NotFound, Refused
from sop_engine.core.feedback import PROVEN
from sop_engine.core.guard import Send, look
from sop_engine.core.run import Touch
from sop_engine.store import attempts, audit, grants, queue, stops, touches, whose
from sop_engine.store.attempts import Settlement
from sop_engine.store.crash_points import cp
from sop_engine.store.people import lock_users, people, take_turns
from sop_engine.store.repeating import repeated

PAGE = 100


@dataclass(frozen=True, slots=True)
class Lost:
    """A touch whose outcome is unknown, with its last attempt and what its channel can do."""

    touch: Touch
    attempt: Any  # its row; None where an older version of the engine stored none
    uncertain: Uncertain
    capability: Capability
    said: touches.Said | None = None


Answer = Receipt | bool | None
"""What asking gave: the receipt; True when it is proven that nothing was taken; None when nothing can be said yet."""


def resolve_unknown(app: App, now: datetime) -> int:
    """Look at every unknown outcome whose time has come; how many are known now, sent, given up or planned again.

    Nothing is settled by a clock that is far from the database's: the window of a key might seem open still, or over.
    """
    if clock_off(app):
        return 0
    watch, settled = Watch(app, now), 0
    while watch.spent < app.ladder.begin:
        with app.work(watch.now) as work:
            found = queue.unknown_due(work.tx, watch.now, PAGE)
            listed = _lost(work, found) if found else []
        if not listed:
            break
        answers = {one.touch.id: _asked(app, one, watch.now) for one in listed if one.uncertain.can_ask}
        cp("after_asking")
        settled += _settle(app, listed, answers, watch)
    return settled


def _lost(work: Work, found: Sequence[Touch]) -> list[Lost]:
    ids = [t.id for t in found]
    latest, said = attempts.latest_of(work.tx, ids), touches.said_of(work.tx, ids)
    listed = []
    for touch in found:
        attempt, marketing = latest.get(touch.id), said[touch.id].purpose == "marketing"
        channel = work.project.channels.get(attempt.channel) if attempt is not None else None
        if attempt is None or channel is None:
            listed.append(Lost(touch, None, Uncertain(touch.due_at, marketing), Capability()))
            continue
        can = work.app.capability(channel)
        began_at = attempts.first_of_key(work.tx, attempt.key)
        uncertain = Uncertain(began_at, marketing, can.idempotent_for if attempt.message else None, can.ask != "none")
        listed.append(Lost(touch, attempt, uncertain, can, said[touch.id]))
    return listed


def _asked(app: App, one: Lost, now: datetime) -> Answer:
    with app.transaction() as tx:
        channel = app.live(tx).project.channels[one.attempt.channel]
    try:
        adapter: Any = app.adapter(channel)
        found: Receipt | None = adapter.ask(_handed(one, now))
    except (DeliveryError, Refused):
        return None
    except Exception as error:  # a mistake in one channel must not keep the others' outcomes unknown
        tell("asking_failed", level="error", channel=channel.name, error=type(error).__name__)
        return None
    sure = one.capability.ask == "sure" and now - one.uncertain.began_at >= one.capability.settles_after
    return found if found is not None else sure or None


def _handed(one: Lost, now: datetime) -> Handed:
    return Handed(
        key=one.attempt.key,
        began_at=one.uncertain.began_at,
        now=now,
        to=one.said.address if one.said else "",
        text=one.said.text if one.said else "",
        provider_id=one.attempt.provider_id or "",
        touch_id=one.touch.id,
    )


def _settle(app: App, listed: Sequence[Lost], answers: Mapping[int, Answer], watch: Watch) -> int:
    settled, repeats = repeated(lambda: _decide(app, listed, answers, watch.now))
    return settled + _repeat(app, repeats, watch)


def _decide(app: App, listed: Sequence[Lost], answers: Mapping[int, Answer], now: datetime) -> tuple[int, list[Lost]]:
    """How many are known now, or given up; and those to be handed over once more."""
    settled, repeats = 0, list[Lost]()
    with app.work(now) as work:
        lock_users(work.tx, {one.touch.user_id for one in listed})
        held = {t.id for t in queue.hold(work.tx, [one.touch for one in listed], "unknown")}
        heard = whose.with_receipt(work.tx, held, PROVEN)  # it came while the call was under way, and the call never ended
        for one in (one for one in listed if one.touch.id in held):
            answer = answers.get(one.touch.id)
            if isinstance(answer, Receipt):
                accepted(work, one.touch, answer.provider_id)
            elif one.touch.id in heard:
                accepted(work, one.touch, None)
            elif answer:
                not_accepted(work, one.touch, "not_accepted")
            elif isinstance(what := settle_unknown(one.uncertain, work.now, asked=True), Repeat):
                repeats.append(one)
                continue
            elif not _leave(work, one, what):
                continue
            settled += 1
        cp("before_resolve_commit")
    return settled, repeats


def accepted(work: Work, touch: Touch, provider_id: str | None) -> None:
    """It was sent after all."""
    attempts.settle(work.tx, [Settlement(touch.id, touch.epoch, "accepted", None, provider_id)], work.now)
    lift(work, {touch.id: provider_id})


def not_accepted(work: Work, touch: Touch, reason: str) -> None:
    """It is proven that nothing was taken: the touch is planned again, its code is free, and the next call has another key."""
    attempts.settle(work.tx, [Settlement(touch.id, touch.epoch, "not_accepted", reason)], work.now)
    row = {"touch": touch.id, "state": "planned", "reason": reason, "due_at": work.now, "look_at": None, "proof": touch.proof + 1}
    touches.write(work.tx, "unknown", [row])
    grants.release(work.tx, [touch.id])
    refresh_close(work, [touch.run_id])


def _leave(work: Work, one: Lost, what: object) -> bool:
    """Wait on, or give up for good: then True."""
    if isinstance(what, Wait):
        touches.write(work.tx, "unknown", [{"touch": one.touch.id, "look_at": what.until}])
    if not isinstance(what, GiveUp):
        return False
    row = {"touch": one.touch.id, "state": "failed", "reason": what.reason, "done_at": work.now, "look_at": None}
    touches.write(work.tx, "unknown", [row])
    refresh_close(work, [one.touch.run_id])
    return True


def _repeat(app: App, repeats: Sequence[Lost], watch: Watch) -> int:
    """Hand the same messages over once more, under the same keys, after a fresh look; how many were handed over or given up."""
    if not repeats:
        return 0

    def once() -> tuple[list[Intent], int]:
        with app.work(watch.now) as work:
            again = _intend_again(work, {one.touch.id: one for one in repeats})
            cp("before_repeat_commit")
            return again

    intents, given_up = repeated(once)
    if intents:
        cp("after_repeat_commit")
        conclude(app, call_channels(app, intents, watch), watch.now, patience_s=watch.patience_s)
    return len(intents) + given_up


def _intend_again(work: Work, lost: Mapping[int, Lost]) -> tuple[list[Intent], int]:
    stops.hold(work.tx)
    turns = take_turns(work.tx, {one.touch.user_id for one in lost.values()})
    known = gather(work, queue.hold(work.tx, [one.touch for one in lost.values()], "unknown"))
    seen = Seen(turns, stops.version(work.tx), work.app.lease_time(work.tx, work.now) + work.app.ladder.lease)
    intents, rows, given_up = [], [], 0
    for item in known.items:
        one = lost[item.touch.id]
        if _may_repeat(work, known, item, one):
            again = replace(item, touch=replace(item.touch, epoch=item.touch.epoch + 1))
            message, channel = thaw(one.attempt.message), item.project.channels[one.attempt.channel]
            attempts.begin(work.tx, [attempt_of(work, again, channel, message, seen)])
            rows.append({"touch": item.touch.id, "state": "sending", "epoch": again.touch.epoch, "lease_until": seen.lease_until,
                         "attempts": item.touch.attempts + 1, "look_at": None, "reason": None})  # fmt: skip
            intents.append(Intent(again, channel.name, message))
        else:
            given_up += _leave(work, one, settle_unknown(one.uncertain, work.now, asked=True, repeatable=False))
    for touch in known.gone:
        given_up += _leave(work, lost[touch.id], settle_unknown(lost[touch.id].uncertain, work.now, asked=True, repeatable=False))
    touches.write(work.tx, "unknown", rows)
    return intents, given_up


def _may_repeat(work: Work, known: Gathered, item: Item, one: Lost) -> bool:
    """Whether a fresh look says yes, for the same channel; what the lost call itself adds to caps is left out."""
    sent = [s for s in known.sent.get(item.touch.user_id, ()) if (s.at, s.channel) != (one.uncertain.began_at, one.attempt.channel)]
    decision = look(replace(situation_of(work, known, item, facts_of(known, item)), sent=sent))
    return isinstance(decision, Send) and decision.channel is not None and decision.channel.name == one.attempt.channel


def decide(app: App, touch_id: int, now: datetime, *, sent: bool, by: str) -> str:
    """An operator knows what became of a touch: it was sent, or it was not and may be tried again. Returns the state it is in now.

    Raises NotFound when there is no such touch, Refused when its outcome is known.
    """
    with app.work(now) as work:
        found = touches.get_touch(work.tx, touch_id)
        if found is None:
            raise NotFound(f"there is no touch {touch_id}. 'sop unknown list' shows those whose outcome is unknown.")
        lock_users(work.tx, [found.user_id])
        found = touches.get_touch(work.tx, touch_id)
        given_up = found is not None and (found.state, found.reason) == ("failed", "outcome_unknown")
        if found is None or not (found.state == "unknown" or (given_up and sent)):
            state = f"{found.state} ({found.reason})" if found is not None and found.reason else str(found and found.state)
            raise Refused(f"the outcome of touch {touch_id} is known: it is {state}.")
        if sent:
            accepted(work, found, None)
        else:
            not_accepted(work, found, "not_accepted")
        audit.note(work.tx, by, "decided an unknown outcome", {"touch": touch_id, "sent": sent}, now)
        return "sent" if sent else "planned"


def list_unknown(app: App, now: datetime, limit: int) -> list[dict[str, Any]]:
    """Touches whose outcome is unknown, the oldest first: since when, what is waited for, whether a person must decide."""
    with app.work(now) as work:
        rows = queue.list_unknown(work.tx, limit)
        keys = {p.id: p.key for p in people(work.tx, {t.user_id for t in rows}).values()}
        listed = _lost(work, rows)
        return [_told(one, keys, now) for one in listed]


def _told(one: Lost, keys: Mapping[int, str], now: datetime) -> dict[str, Any]:
    what = settle_unknown(one.uncertain, now, asked=True)
    return {
        "touch": one.touch.id,
        "user": keys.get(one.touch.user_id, ""),
        "flow": one.touch.flow,
        "step": one.touch.step,
        "channel": one.attempt.channel if one.attempt is not None else "",
        "reason": one.touch.reason,
        "since": one.uncertain.began_at,
        "next_look_at": one.touch.look_at,
        "purpose": "marketing" if one.uncertain.marketing else "service",
        "operator": isinstance(what, Wait) and what.operator,
    }
