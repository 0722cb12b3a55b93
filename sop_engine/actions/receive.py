"""Takes in what comes back about our own messages: opened, clicked, replied, done, used; refusals and blocks."""

from collections.abc import Callable, Mapping

from sop_engine.actions.end import end_refused
from sop_engine.actions.feeding import tell_touches
from sop_engine.actions.outcome import lift
from sop_engine.actions.refusing import withdraw
from sop_engine.app import Work
from sop_engine.channels.task import TaskLinks
from sop_engine.core import tokens
from sop_engine.core.deadlines import deadline
from sop_engine.core.links import PURPOSE, SIZE
from sop_engine.core.records import EventRecord
from sop_engine.core.replies import REPLY
from sop_engine.rendering import render
from sop_engine.store import consent, facts, grants, outbox, shares, touches, whose
from sop_engine.store.scope import Scope

KINDS = {
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "replied": "replied",
    "task_done": "done",
    "benefit_used": "used",
}
"""Which built-in event becomes which receipt of the touch."""
REDEMPTION = "redemption"
"""The source of events that follow from reports of tills and providers."""


def receive(work: Work, event_id: int, user_id: int, record: EventRecord) -> None:
    """Apply a built-in event; others are nothing to us."""
    if record.event in KINDS:
        _receipt(work, user_id, record)
    action = _ACTIONS.get(record.event)
    if action is not None:
        action(work, event_id, user_id, record)


def _text(record: EventRecord, name: str) -> str:
    value = record.fields.get(name)
    return value if isinstance(value, str) else ""


def _receipt(work: Work, user_id: int, record: EventRecord) -> None:
    """Store the receipt with the touch it is about: that of the code, else the latest sent touch of the step."""
    found: int | None = record.touch_id or None
    code = _text(record, "code")
    if record.event == "benefit_used" and code:
        reported = record.source == REDEMPTION  # then the report has marked it as used; it may have been taken back since
        grant = (
            grants.used_by(work.tx, record.message_id)
            if reported
            else grants.redeem(work.tx, code=code, at=record.at, event=record.message_id)
        )
        found = None if grant is None else grant.touch_id
    elif found is None and _text(record, "step"):
        sent = touches.find_sent(work.tx, user_id, _text(record, "step"), _text(record, "playbook") or None)
        found = None if sent is None else sent[0]
    if found is not None:
        came = [KINDS[record.event], *(["delivered"] if record.event == "task_done" else [])]  # a task is delivered when it is done
        fresh = {kind: touches.add_receipts(work.tx, [(found, kind, record.at)]) for kind in came}
        tell_touches(work, fresh.get("delivered", []), "delivered")
        lift(work, {found: None})  # whoever opens it has got it
        if record.event == "task_done":
            consent.close_tasks(work.tx, user_id, "done", record.at, touch_id=found)


def _touch_of(work: Work, user_id: int, record: EventRecord) -> int | None:
    """The message an event is about: as it says itself, else the latest of its step."""
    step = _text(record, "step")
    sent = touches.find_sent(work.tx, user_id, step, _text(record, "playbook") or None) if step and not record.touch_id else None
    return record.touch_id or (sent[0] if sent else None)


def _answered(work: Work, user_id: int, record: EventRecord) -> str:
    """The channel that somebody answers who wants no more; everything, where nobody can say."""
    about = _touch_of(work, user_id, record) or whose.latest_touch(work.tx, None, [user_id])
    return _text(record, "channel") or (touches.channel_of(work.tx, about) if about else "") or "*"


def _unsubscribed(work: Work, _event_id: int, user_id: int, record: EventRecord) -> None:
    channel = _text(record, "channel") or "*"
    if _text(record, "result") == REPLY:
        channel = _answered(work, user_id, record)
        withdraw(work, user_id, channel, record.source)
    consent.add_opt_out(work.tx, user_id, channel, record.at, record.source)
    end_refused(work, user_id)


def _blocked(work: Work, _event_id: int, user_id: int, record: EventRecord) -> None:
    consent.add_opt_out(work.tx, user_id, _text(record, "channel") or "*", record.at, record.source)


def _task_done(work: Work, _event_id: int, user_id: int, record: EventRecord) -> None:
    if not _text(record, "step") and not record.touch_id:
        consent.close_tasks(work.tx, user_id, "done", record.at)  # the hand-off to a person is over


def _task_failed(work: Work, _event_id: int, user_id: int, record: EventRecord) -> None:
    """The colleague tried and could not, or the user did not want it: the task is over, and nothing was delivered."""
    state = "refused" if _text(record, "result") == "refused" else "not_reached"
    found = _touch_of(work, user_id, record)
    if found is not None or not _text(record, "step"):
        consent.close_tasks(work.tx, user_id, state, record.at, touch_id=found)


def _replied(work: Work, event_id: int, user_id: int, record: EventRecord) -> None:
    """A user who answers gets a person: a task is made, and the user's open runs wait for it to be done."""
    name = work.project.settings.on_reply
    if not name:
        return
    template = work.project.template(name, None)
    known = facts.read_facts(work.tx, work.project, [n for n, _ in template.variables if "." not in n], Scope.of([user_id]), work.now)
    values = {**known.get(user_id, {}), **{f"event.{k}": v for k, v in record.fields.items()}}
    text = render(template, values, locale=work.project.settings.locale).text
    channel = work.project.channels[template.channel]
    due = deadline(template, channel, work.now)
    key, settings = f"handoff:{event_id}", work.app.settings
    told = TaskLinks(settings.public_url, settings.signing_keys).told(text, key)
    outbox.add_task(work.tx, outbox.Task(key, user_id, "", told, due, channel=channel.name), work.now)


def _link_opened(work: Work, _event_id: int, _user_id: int, record: EventRecord) -> None:
    """The page that was opened says who opened it: `code` is the token of the link. A forged one is nothing."""
    payload = tokens.read(work.app.settings.signing_keys, _text(record, "code"), PURPOSE, SIZE)
    if payload is not None:
        touch, _, number = payload.partition(".")
        shares.note(work.tx, int(touch), int(number), record.user_key, record.at)


_ACTIONS: Mapping[str, Callable[[Work, int, int, EventRecord], None]] = {
    "unsubscribed": _unsubscribed,
    "blocked": _blocked,
    "replied": _replied,
    "task_done": _task_done,
    "task_failed": _task_failed,
    "link_opened": _link_opened,
}
