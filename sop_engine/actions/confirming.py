"""Follows messages that a colleague has to confirm: what came of each, and who is told, reminded or let off."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sop_engine.actions.end import refresh_close
from sop_engine.actions.routing import account_word, corp_of
from sop_engine.app import App, Work
from sop_engine.channels.contract import Fact, Handed
from sop_engine.core.errors import DeliveryError, Refused
from sop_engine.core.run import Touch
from sop_engine.core.wecom import CAP_RULES, WecomPair, cap_window
from sop_engine.store import attempts, grants, relations, runs, staff_messages, touches
from sop_engine.store.people import lock_users
from sop_engine.store.repeating import repeated
from sop_engine.store.staff_messages import StaffMessage

MOST = 50  # calls looked at in one beat
AGAIN = timedelta(minutes=10)  # after a call that failed
KINDS = ("delivered", "not_friend", "capped", "unconfirmed")


def wait_for_staff(work: Work, accepted: Mapping[int, str | None]) -> None:
    """Messages a provider took (its id by touch) that wait for a colleague now; those of channels that need none are left out."""
    channels = staff_messages.channels_of(work.tx, accepted)
    rows = []
    for touch_id, channel in channels.items():
        call_id, _, rest = (accepted[touch_id] or "").partition("|")
        customer, _, staff = rest.partition("|")
        declared = work.project.channels.get(channel)
        if not staff or declared is None or not work.app.capability(declared).staff_confirmed:
            continue
        rows.append(
            {
                "touch_id": touch_id,
                "channel": channel,
                "corp": corp_of(work, channel),
                "call_id": call_id,
                "customer": customer,
                "staff": staff,
                "day": work.day,
                "state": "awaiting",
                "created_at": work.now,
                "look_at": _first_look(work, channel),
            }
        )
    if rows:
        staff_messages.add(work.tx, rows)


def _first_look(work: Work, channel: str) -> datetime:
    remind, confirm = _hours(work, channel, "remind_at_hours", 4), _hours(work, channel, "confirm_by_hours", 24)
    return work.now + (min(remind, confirm) if remind else confirm)


def _hours(work: Work, channel: str, name: str, otherwise: int) -> timedelta:
    return timedelta(hours=account_word(work, channel, name, otherwise))


def settle_staff(work: Work, touch_id: int, fact: Fact) -> bool:
    """What became of a message that waited for a colleague: delivered, not_friend, capped or unconfirmed. False when none waited.

    One that never reached the customer gives its code and its place in the caps back, and the next channel of the step is tried.
    """
    found = touches.get_touch(work.tx, touch_id)
    if fact.kind not in KINDS or found is None:
        return False
    lock_users(work.tx, [found.user_id])
    waiting, touch = staff_messages.of_touch(work.tx, touch_id), touches.get_touch(work.tx, touch_id)
    if waiting is None or touch is None or touch.state != "sent":
        return False
    staff_messages.settle(work.tx, [waiting.id], fact.kind, work.now)
    if fact.kind == "delivered":
        touches.add_receipts(work.tx, [(touch_id, "delivered", fact.at)])
        return True
    if fact.kind == "not_friend":
        relations.end(work.tx, waiting.corp, waiting.pair, "unfit", fact.at)
    if fact.kind == "capped":
        rule = CAP_RULES[account_word(work, waiting.channel, "cap", "month_days")]
        staff_messages.fill_cap(work.tx, waiting.corp, waiting.customer, cap_window(rule, date.fromordinal(work.day))[1].toordinal())
    ends = fact.kind == "unconfirmed" and account_word(work, waiting.channel, "on_unconfirmed", "fallback") == "cancel"
    _take_back(work, touch, fact.kind, again=not ends)
    return True


def _take_back(work: Work, touch: Touch, reason: str, *, again: bool) -> None:
    """The message is known not to have arrived: its code is free, and it is planned again if its run goes on."""
    attempts.take_back(work.tx, touch.id, touch.epoch, reason)
    grants.take_back(work.tx, [touch.id])
    run = runs.get_runs(work.tx, [touch.run_id])[touch.run_id]
    if again and run.open:
        # It has waited for the colleague and not for us: it may be as late as it might have been before.
        late_at = max(touch.late_at, work.now + (touch.late_at - touch.first_due_at))
        row: dict[str, Any] = {"state": "planned", "due_at": work.now, "late_at": late_at, "proof": touch.proof + 1, "done_at": None}
    else:
        row = {"state": "skipped", "done_at": work.now}
    touches.write(work.tx, "sent", [{"touch": touch.id, "reason": reason, **row}])
    refresh_close(work, [touch.run_id])


def due_confirmations(app: App, now: datetime) -> int:
    """Remind colleagues, and call back what nobody confirmed in time or what nobody wants any more; how many tasks were looked at."""
    with app.work(now) as work:
        calls = staff_messages.due(work.tx, now, MOST)
        listed = [(channel, call_id, staff_messages.of_call(work.tx, channel, call_id)) for channel, call_id in calls]
        steps = [(channel, call_id, rows, _step(work, channel, rows)) for channel, call_id, rows in listed if rows]
    for channel, call_id, rows, step in steps:
        _carry_out(app, now, (channel, call_id), rows, step)
    return len(steps)


def next_confirmation(work: Work) -> datetime | None:
    """When the next waiting message is looked at."""
    return staff_messages.next_look(work.tx)


def _step(work: Work, channel: str, rows: Sequence[StaffMessage]) -> str:
    """What is to be done about a task: cancel, leave, remind, or part (some of its customers are gone)."""
    if not any(row.run_open for row in rows):
        return "cancel"
    awaiting = [row for row in rows if row.state == "awaiting"]
    if awaiting and min(row.created_at for row in awaiting) + _hours(work, channel, "confirm_by_hours", 24) <= work.now:
        return "leave" if account_word(work, channel, "on_unconfirmed", "fallback") == "leave" else "cancel"
    if any(not row.run_open for row in awaiting):
        return "part"
    return "remind"


def _carry_out(app: App, now: datetime, of: tuple[str, str], rows: Sequence[StaffMessage], step: str) -> None:
    channel, call_id = of
    if step in ("leave", "part"):
        left = [row.id for row in rows if step == "leave" or not row.run_open]
        with app.work(now) as work:
            staff_messages.settle(work.tx, left, "left_with_staff", now)
        return
    answer = _called(app, channel, step, call_id)
    done = answer == "done"
    if step == "remind":
        with app.work(now) as work:
            at = min(row.created_at for row in rows) + _hours(work, channel, "confirm_by_hours", 24)
            staff_messages.look_again(
                work.tx, [row.id for row in rows], min(at, now + AGAIN) if answer == "later" else at, reminded_at=now if done else None
            )
        return
    facts = _polled(app, now, channel, rows)  # whoever confirmed at the last moment has sent it
    repeated(lambda: _conclude(app, now, rows, facts, cancelled=done and facts is not None))
    if answer == "never":  # nobody can say whether the colleague still sends it, so nothing else is sent in its place
        with app.work(now) as work:
            staff_messages.settle(work.tx, [row.id for row in rows], "left_with_staff", now)


def _conclude(app: App, now: datetime, rows: Sequence[StaffMessage], facts: Sequence[Fact] | None, *, cancelled: bool) -> None:
    with app.work(now) as work:
        told = {fact.touch_id: fact for fact in facts or ()}
        for row in rows:
            if row.touch_id in told:
                settle_staff(work, row.touch_id, told[row.touch_id])
            elif cancelled:
                key = f"{row.call_id}|{row.customer}|{row.staff}|unconfirmed"
                settle_staff(work, row.touch_id, Fact(kind="unconfirmed", event_key=key, at=now, touch_id=row.touch_id))
        staff_messages.look_again(work.tx, [row.id for row in rows], now + AGAIN)


def _called(app: App, channel: str, step: str, call_id: str) -> str:
    """What the provider did: done, later (it may be asked again) or never (refused for good)."""
    try:
        adapter = _adapter(app, channel)
        getattr(adapter, step)(call_id)
    except DeliveryError as error:
        return "later" if error.kind in ("retry_after", "unknown") else "never"
    except (Refused, KeyError):
        return "later"
    return "done"


def _polled(app: App, now: datetime, channel: str, rows: Sequence[StaffMessage]) -> Sequence[Fact] | None:
    """What became of these messages; None when the provider does not say."""
    handed = [
        Handed(
            key="",
            began_at=row.created_at,
            now=now,
            to=str(WecomPair(row.customer, row.staff)),
            provider_id=f"{row.call_id}|{row.customer}|{row.staff}",
            touch_id=row.touch_id,
        )
        for row in rows
    ]
    try:
        found: Sequence[Fact] = _adapter(app, channel).poll(handed)
    except (DeliveryError, Refused, KeyError):
        return None
    return found


def _adapter(app: App, channel: str) -> Any:
    with app.transaction() as tx:
        declared = app.live(tx).project.channels[channel]
    return app.adapter(declared)
