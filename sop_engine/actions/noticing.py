"""Tells colleagues of alerts and reports: each message is written once, handed over once, and tried again while that is safe."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from sop_engine.actions.halting import ALL
from sop_engine.actions.telling import tell
from sop_engine.app import App, Work
from sop_engine.channels.contract import Capability, Message, Receipt, call
from sop_engine.core.calendar import next_open
from sop_engine.core.catalog import Channel
from sop_engine.core.conditions import Value
from sop_engine.core.deadlines import deadline
from sop_engine.core.errors import DeliveryError, Refused
from sop_engine.rendering import MissingVariable, RenderFailed, render
from sop_engine.store import notices, stops
from sop_engine.store.notices import Notice

HELD, AGAIN, MOST_TRIES = timedelta(minutes=10), timedelta(minutes=5), 20


def plan_notice(work: Work, kind: str, name: str, last_day: int, template: str, values: Mapping[str, Value | None]) -> None:
    """Write a message to colleagues with this template and plan it; once for each name and period. One that cannot be written fails."""
    text = work.project.template(template, None)
    key = hashlib.sha256(f"{work.app.instance(work.tx)}|{kind}|{name}|{last_day}".encode()).hexdigest()[:32]
    state, reason, subject, body = "planned", "", "", ""
    try:
        said = render(text, values, locale=text.locale or work.project.settings.locale, currency=work.project.settings.currency)
        subject, body = said.subject, said.text
    except (MissingVariable, RenderFailed) as error:
        state, reason = "failed", str(error)
    planned = Notice(key, kind, name, last_day, template, text.channel, body, work.now, work.now, subject, state, reason=reason)
    notices.plan(work.tx, planned)


def send_notices(app: App, now: datetime) -> int:
    """Hand over what is due; how many were taken. Stopped channels and closed hours wait."""
    with app.transaction() as tx:
        waiting = notices.due(tx, now)
    return sum(_send(app, notice, now) for notice in waiting)


def _send(app: App, notice: Notice, now: datetime) -> bool:
    with app.work(now) as work:
        channel = work.project.channels.get(notice.channel)
        if channel is None:
            notices.settle(work.tx, notice.key, "failed", reason="no_channel", look_at=now, now=now)
            return False
        later, can = _waits(work, channel), app.capability(channel)
        if later is not None:
            notices.settle(work.tx, notice.key, notice.state, reason="", look_at=later, now=now)
            return False
        if notice.state == "sending" and not _repeatable(can):
            notices.settle(work.tx, notice.key, "unknown", reason="crashed", look_at=now, now=now)
            return False
        if not notices.take(work.tx, notice, now + HELD):
            return False
        due = _due(work, channel, notice)
    outcome = _handed(app, channel, notice, now, due)
    state, reason = _outcome(outcome, notice, can)
    with app.transaction() as tx:
        notices.settle(tx, notice.key, state, reason=reason, look_at=now + AGAIN, now=now)
    if state != "sent":
        tell("notice_not_sent", level="warning", kind=notice.kind, name=notice.name, state=state, reason=reason)
    return state == "sent"


def _waits(work: Work, channel: Channel) -> datetime | None:
    """When to look again: everything or the channel is stopped, or its own hours are closed; None: it may go."""
    if stops.stopped(work.tx) & {ALL, f"channel:{channel.name}"}:
        return work.now + AGAIN
    if channel.hours is None:
        return None
    opens = next_open(work.now, [channel.hours], work.live.zone)
    return opens if opens is not None and opens > work.now else None


def _repeatable(can: Capability) -> bool:
    """Whether a second call under the same key cannot become a second message."""
    return can.idempotent_for is not None


def _due(work: Work, channel: Channel, notice: Notice) -> datetime | None:
    """Until when a task is to be done; a text that is no longer in the project leaves it to the channel."""
    if channel.via != "staff_task":
        return None
    if notice.template in work.project.templates:
        return deadline(work.project.template(notice.template, None), channel, work.now)
    return work.now + channel.due if channel.due else None


def _handed(app: App, channel: Channel, notice: Notice, now: datetime, due: datetime | None) -> Receipt | DeliveryError:
    message = Message(
        key=notice.key, now=now, purpose="internal", subject=notice.subject, text=notice.text, playbook="", step=notice.name,
        template=notice.template, due_at=due,
    )  # fmt: skip
    try:
        return call(app.adapter(channel), [message])[0]
    except Refused as refused:
        return DeliveryError("retry_after", "configuration", str(refused))


def _outcome(outcome: Receipt | DeliveryError, notice: Notice, can: Capability) -> tuple[str, str]:
    if isinstance(outcome, Receipt):
        return "sent", ""
    again = outcome.kind == "retry_after" or (outcome.kind == "unknown" and _repeatable(can))
    if again and notice.tries + 1 < MOST_TRIES:
        return "planned", outcome.reason
    return ("unknown" if outcome.kind == "unknown" else "failed"), outcome.reason
