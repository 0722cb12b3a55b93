"""Writes what became of touches, and what follows: steps that wait for them, the next of repeated ones, the end of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sop_engine.actions.end import refresh_close
from sop_engine.actions.gather import Item, gather
from sop_engine.actions.place import Cause, place_users
from sop_engine.actions.start import timing_of
from sop_engine.actions.suppressing import unreachable
from sop_engine.actions.tagging import set_values
from sop_engine.actions.unite import unite_identified
from sop_engine.app import Work
from sop_engine.channels.contract import Receipt
from sop_engine.core.conditions import Facts
from sop_engine.core.delivery import FIRST_LOOK, GiveUp, NextChannel, Retry, Unknown, after_error
from sop_engine.core.errors import DeliveryError
from sop_engine.core.interest import known_names
from sop_engine.core.run import Touch
from sop_engine.core.schedule import RunTimes, Wanted, wanted_after, wanted_touch
from sop_engine.store import attempts, grants, queue, runs, touches
from sop_engine.store import facts as store_facts
from sop_engine.store.attempts import Settlement
from sop_engine.store.crash_points import cp
from sop_engine.store.people import lock_users, people
from sop_engine.store.scope import Scope


@dataclass(frozen=True, slots=True)
class Done:
    """A touch that has come to an end: sent, skipped, failed, or unknown and not waited for."""

    item: Item
    state: str
    reason: str | None
    at: datetime
    again: bool = False  # it was unknown, and what follows from its end was planned then

    @property
    def ran(self) -> bool:
        """Whether the step counts as run: sent, or withheld from a hold-out."""
        return self.state == "sent" or self.reason == "holdout"


Answer = Receipt | DeliveryError


class NotBegun(DeliveryError):
    """The call was never made: no time was left, or the account takes no more just now. The touch may go at `at`."""

    def __init__(self, at: datetime, reason: str = "not_begun") -> None:
        super().__init__("retry_after", reason)
        self.at = at


def settle(work: Work, answered: Sequence[tuple[Item, Answer]]) -> bool:
    """Write the channel's answers: sent, planned again, failed or unknown; codes are issued, kept or released accordingly.

    Only whoever began a call may write its outcome: what comes after the touch was taken away is kept as a late result, and one
    that says "accepted" lifts an unknown outcome to sent. False when these answers were written before, at the same moment: by a
    COMMIT whose own answer was lost.
    """
    lock_users(work.tx, {item.touch.user_id for item, _ in answered})
    held = {t.id: t for t in queue.hold(work.tx, [item.touch for item, _ in answered], "sending")}
    mine = held.keys()
    answered = [(_of_owner(work, item, held.get(item.touch.id)), answer) for item, answer in answered]
    settled = [_settlement(item, answer) for item, answer in answered]
    late = [s for s in settled if s.touch_id not in mine]
    if late and attempts.are_settled(work.tx, settled, work.now):
        return False
    attempts.settle(work.tx, settled, work.now)
    attempts.add_late(work.tx, late, work.now)
    _write(work, [(item, answer) for item, answer in answered if item.touch.id in mine])
    lift(work, {s.touch_id: s.provider_id for s in late if s.outcome == "accepted"})
    cp("before_settle_commit")
    return True


def _of_owner(work: Work, item: Item, held: Touch | None) -> Item:
    """The item of whoever its user is now: users may have become one during the call."""
    if held is None or held.user_id == item.touch.user_id:
        return item
    return replace(item, touch=held, run=replace(item.run, user_id=held.user_id), person=people(work.tx, [held.user_id])[held.user_id])


def _settlement(item: Item, answer: Answer) -> Settlement:
    touch = item.touch
    if isinstance(answer, Receipt):
        return Settlement(touch.id, touch.epoch, "accepted", None, answer.provider_id)
    kinds = {"retry_after": "not_accepted", "permanent": "refused", "user_unreachable": "refused"}
    return Settlement(touch.id, touch.epoch, kinds.get(answer.kind, "unclear"), answer.reason)


def lift(work: Work, accepted: Mapping[int, str | None]) -> None:
    """Outcomes that were unknown turn out to be sent: by a late answer, by asking, by a receipt, or by an operator."""
    if not accepted:
        return
    lost = touches.lift(work.tx, accepted, work.now)
    grants.settle(work.tx, [t.id for t in lost], "issued")
    finish(work, [Done(item, "sent", None, work.now, again=True) for item in gather(work, lost).items])


def _write(work: Work, answered: Sequence[tuple[Item, Answer]]) -> None:
    rows: list[dict[str, object]] = []
    done: list[Done] = []
    receipts: list[tuple[int, str, datetime]] = []
    for item, answer in answered:
        if isinstance(answer, Receipt):
            rows.append(
                {"touch": item.touch.id, "state": "sent", "done_at": work.now, "provider_id": answer.provider_id, "lease_until": None}
            )
            done.append(Done(item, "sent", None, work.now))
            if answer.stage == "delivered":
                receipts.append((item.touch.id, "delivered", work.now))
        else:
            row = _after_error(work, item, answer)
            rows.append(row)
            if row["state"] in ("failed", "unknown"):
                done.append(Done(item, str(row["state"]), answer.reason, work.now))
    touches.write(work.tx, "sending", rows)
    _codes(work, rows)
    touches.add_receipts(work.tx, receipts)
    finish(work, done)


def _after_error(work: Work, item: Item, error: DeliveryError) -> dict[str, object]:
    touch = item.touch
    base: dict[str, object] = {"touch": touch.id, "lease_until": None, "detail": error.detail}
    refuted = {"proof": touch.proof + 1}  # a next call is another one, under another key
    if isinstance(error, NotBegun):
        return {**base, **refuted, "state": "planned", "reason": error.reason, "due_at": error.at, "attempts": touch.attempts}
    match after_error(error, touch.attempts + 1, touch_id=str(touch.id), now=work.now, give_up_at=touch.late_at):
        case Retry(at):
            return {**base, **refuted, "state": "planned", "reason": error.reason, "due_at": at}
        case GiveUp(reason):
            return {**base, "state": "failed", "reason": reason, "done_at": work.now}
        case Unknown(reason):
            return {**base, "state": "unknown", "reason": reason, "look_at": work.now + FIRST_LOOK}
        case NextChannel(reason):
            unreachable(work, item.project, touch.user_id, touches.channel_of(work.tx, touch.id), reason)
            return {**base, **refuted, "state": "planned", "reason": reason, "due_at": work.now}


def _codes(work: Work, rows: Sequence[dict[str, object]]) -> None:
    by_state: dict[str, list[int]] = {"issued": [], "released": []}
    for row in rows:
        if row["state"] == "sent":
            by_state["issued"].append(int(str(row["touch"])))
        elif row["state"] in ("failed", "planned"):
            by_state["released"].append(int(str(row["touch"])))
    for state, ids in by_state.items():
        if ids:
            grants.settle(work.tx, ids, state)


def finish(work: Work, done: Sequence[Done]) -> None:
    """After touches ended: plan what waited for them and the next of repeated steps, set what the step sets, see whether runs are over."""
    if not done:
        return
    silent = [d.item.touch.id for d in done if d.state == "sent" and d.item.step.send is None]
    if silent:
        grants.settle(work.tx, silent, "issued")
    _plan_next(work, done)
    changed = [d for d in done if d.state == "sent" and d.item.step.sets]
    for one in changed:
        set_values(work, one.item.touch.user_id, dict(one.item.step.sets))
    refresh_close(work, sorted({d.item.run.id for d in done if d.item.run.open}))
    if changed:
        gone = unite_identified(work)
        place_users(work, sorted({gone.get(d.item.touch.user_id, d.item.touch.user_id) for d in changed}), Cause("step"))


def _plan_next(work: Work, done: Sequence[Done]) -> None:
    waiting = [d for d in done if d.item.run.open and (d.item.step.every or _is_source(d))]
    still = runs.get_runs(work.tx, {d.item.run.id for d in waiting}) if waiting else {}  # it may have ended during the call
    waiting = [d for d in waiting if still[d.item.run.id].open]
    if not waiting:
        return
    names = known_names(work.project, {s.every.attribute for d in waiting for s in d.item.flow.steps if s.every and s.every.attribute})
    users = {d.item.touch.user_id for d in waiting}
    facts = store_facts.read_facts(work.tx, work.project, names, Scope.of(users), work.now) if names else {}
    rows = []
    for one in waiting:
        item = one.item
        rows += [
            touches.touch_row(work.project, item.run.id, item.touch.user_id, item.flow, w)
            for w in _next(work, one, facts.get(item.touch.user_id, {}))
        ]
    touches.add_touches(work.tx, rows)


def _is_source(done: Done) -> bool:
    return done.ran and any(s.source == done.item.step.name for s in done.item.flow.steps)


def _next(work: Work, done: Done, facts: Facts) -> list[Wanted]:
    item = done.item
    timing = timing_of(work, item.person, facts)
    times = RunTimes(item.run.started_at, item.run.anchor_day, f"{item.person.key}:{item.run.start_key}")
    wants: list[Wanted] = []
    if done.ran and not item.step.every:
        wants += wanted_after(item.flow, item.step.name, times, done.at, timing)
    if item.step.every is not None and not done.again:
        following = wanted_touch(item.flow, item.step, times, timing, after=item.touch.first_due_at)
        wants += [following] if following else []
    return wants
